//! A ZIP archive: the CSV or the accounting entries, then a manifest that tells what it is of, its rows and its hash.

use std::io::{self, Read, Write};

use chrono::{Datelike, Timelike, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{Facts, Rows, ledger, table};

/// How hard to compress: quick, so that the database and not the compression sets the pace.
const LEVEL: i64 = 3;
/// From so many rows on a file may pass 4 GiB, and its entry is written as ZIP64: no row has four thousand bytes.
const LARGE: i64 = 1_000_000;

pub(super) fn write<W: Write>(facts: &Facts, rows: Rows<'_, impl Read>, out: W) -> io::Result<W> {
    let mut archive = ZipWriter::new_stream(out);
    let options = archive_options(facts.at).large_file(facts.rows >= LARGE);
    let ledger = facts.kind.is_ledger();
    let name = format!("{}.{}", facts.stem, if ledger { "txt" } else { "csv" });
    archive.start_file(&*name, options)?;
    let told = rows.told;
    let summed = Summed::new(archive);
    let summed =
        if ledger { ledger::write(facts, rows, summed)? } else { table::write(facts, rows, summed)? };
    let manifest = json!({
        "kind": facts.kind.name,
        "profile": facts.profile,
        "filters": facts.filters,
        "as_of": facts.at,
        "files": [{
            "name": name,
            "rows": told.load(std::sync::atomic::Ordering::Relaxed),
            "size_bytes": summed.size,
            "sha256": hex::encode(summed.hash.finalize()),
        }],
    });
    let mut archive = summed.out;
    archive.start_file("manifest.json", options.large_file(false))?;
    serde_json::to_writer_pretty(&mut archive, &manifest)?;
    Ok(archive.finish()?.into_inner())
}

/// How every entry of an archive is written: compressed, at this moment.
pub(crate) fn archive_options(at: chrono::DateTime<Utc>) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(time(at))
}

/// The moment, as an archive tells times: without a zone, here UTC.
fn time(at: chrono::DateTime<Utc>) -> DateTime {
    let at = at.naive_utc();
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(at.year()).unwrap_or_default();
    DateTime::from_date_and_time(
        year,
        small(at.month()),
        small(at.day()),
        small(at.hour()),
        small(at.minute()),
        small(at.second()),
    )
    .unwrap_or_default()
}

/// A writer that sums up what goes through it.
pub(crate) struct Summed<W> {
    pub(crate) out: W,
    pub(crate) size: u64,
    pub(crate) hash: Sha256,
}

impl<W> Summed<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, size: 0, hash: Sha256::new() }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufReader, Seek},
        sync::atomic::AtomicI64,
    };

    use chrono::Utc;
    use permanence_domain::exports::{ExportFormat, ExportKind, Filters, Profile};
    use zip::ZipArchive;

    use super::*;

    fn facts(rows: i64) -> Facts {
        Facts {
            kind: ExportKind::Patients.kind(),
            format: ExportFormat::Zip,
            profile: Some(Profile::Rfc4180),
            filters: Filters::default(),
            stem: "patients".to_owned(),
            rows,
            at: chrono::DateTime::<Utc>::UNIX_EPOCH,
        }
    }

    /// An archive of as many lines as `lines` gives, said to be `rows`.
    fn archive(rows: i64, lines: impl Read) -> std::fs::File {
        let told = AtomicI64::new(0);
        let facts = facts(rows);
        let file = tempfile::tempfile().unwrap();
        let mut file = write(&facts, Rows::new(facts.kind, lines, &told), file).unwrap();
        file.rewind().unwrap();
        file
    }

    const LINE: &[u8] = b"1,A,B,1984-02-29,,,fr,t,f,f,2027-01-11 08:00:00+00,2027-01-11 08:00:00+00\n";

    #[test]
    fn an_entry_that_may_pass_four_gibibytes_is_written_for_it() {
        for (rows, large) in [(LARGE - 1, false), (LARGE, true)] {
            let mut bytes = Vec::new();
            archive(rows, LINE).read_to_end(&mut bytes).unwrap();
            // APPNOTE 4.4.3: the local header wants version 4.5 of whoever reads a ZIP64 entry.
            assert_eq!(u16::from_le_bytes([bytes[4], bytes[5]]) >= 45, large, "{rows}");
            let mut read = ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
            let mut text = String::new();
            read.by_name("patients.csv").unwrap().read_to_string(&mut text).unwrap();
            assert!(text.ends_with("2027-01-11T08:00:00Z,2027-01-11T08:00:00Z\r\n"), "{text}");
        }
    }

    #[test]
    #[ignore = "compresses more than 4 GiB: cargo test --release --workspace --lib four_gibibytes_are_there -- --ignored"]
    fn four_gibibytes_are_there_and_are_read_again() {
        struct Endless {
            left: u64,
            line: Vec<u8>,
            at: usize,
        }
        impl Read for Endless {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                if self.at == self.line.len() {
                    if self.left == 0 {
                        return Ok(0);
                    }
                    (self.left, self.at) = (self.left - 1, 0);
                }
                let count = Read::read(&mut &self.line[self.at..], into)?;
                self.at += count;
                Ok(count)
            }
        }
        let name = "n".repeat(3_900);
        let line = String::from_utf8(LINE.to_vec()).unwrap().replacen('A', &name, 1).into_bytes();
        let rows = u64::from(u32::MAX) / line.len() as u64 + 1_000;
        let lines = Endless { left: rows, at: line.len(), line };
        let file = archive(i64::try_from(rows).unwrap().max(LARGE), lines);
        let mut read = ZipArchive::new(BufReader::new(file)).unwrap();
        let mut entry = read.by_name("patients.csv").unwrap();
        assert!(entry.size() > u64::from(u32::MAX));
        let size = entry.size();
        assert_eq!(io::copy(&mut entry, &mut io::sink()).unwrap(), size);
    }
}
