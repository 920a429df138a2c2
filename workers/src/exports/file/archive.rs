//! A ZIP archive: the CSV, then a manifest that tells what it is of, its rows and its hash.

use std::io::{self, Read, Write};

use chrono::{Datelike, Timelike, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{Facts, Rows, table};

/// How hard to compress: quick, so that the database and not the compression sets the pace.
const LEVEL: i64 = 3;
/// From so many rows on a file may pass 4 GiB, and its entry is written as ZIP64.
const LARGE: i64 = 4_000_000;

pub(super) fn write<W: Write>(facts: &Facts, rows: Rows<'_, impl Read>, out: W) -> io::Result<W> {
    let mut archive = ZipWriter::new_stream(out);
    let options = archive_options(facts.at).large_file(facts.rows >= LARGE);
    let name = format!("{}.csv", facts.kind.name);
    archive.start_file(&*name, options)?;
    let told = rows.told;
    let summed = table::write(facts, rows, Summed::new(archive))?;
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
