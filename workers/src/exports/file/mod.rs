//! The files that exports are: CSV, CSV in an archive with a manifest, a workbook. Owns how a row is written; never where it
//! comes from or goes to.

mod archive;
mod cell;
mod ledger;
mod sheet;
mod table;

use std::{
    io::{self, Read, Write},
    sync::atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};
use csv::ByteRecord;
use permanence_domain::exports::{ExportFormat, Filters, Kind, Profile};

/// What is known of a file before its first row.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) kind: &'static Kind,
    pub(super) format: ExportFormat,
    pub(super) profile: Option<Profile>,
    pub(super) filters: Filters,
    /// What the file is called, but for the end.
    pub(super) stem: String,
    /// How many rows are to come.
    pub(super) rows: i64,
    /// The moment whose rows they are.
    pub(super) at: DateTime<Utc>,
}

/// Writes a file of rows that come as lines of CSV, counts them, and gives the writer back.
pub(super) fn write_file<W: Write + Send>(
    facts: &Facts,
    lines: impl Read,
    out: W,
    rows: &AtomicI64,
) -> io::Result<W> {
    let rows = Rows::new(facts.kind, lines, rows);
    match facts.format {
        ExportFormat::Csv => table::write(facts, rows, out),
        ExportFormat::Zip => archive::write(facts, rows, out),
        ExportFormat::Xlsx => sheet::write(facts, rows, out),
        ExportFormat::Txt => ledger::write(facts, rows, out),
    }
}

/// The rows, counted as they are written.
struct Rows<'a, R> {
    reader: csv::Reader<R>,
    columns: usize,
    record: ByteRecord,
    count: i64,
    told: &'a AtomicI64,
}

impl<'a, R: Read> Rows<'a, R> {
    fn new(kind: &Kind, lines: R, told: &'a AtomicI64) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(64 * 1024)
            .from_reader(lines);
        Self { reader, columns: kind.columns.len(), record: ByteRecord::new(), count: 0, told }
    }

    /// The next row, one field a column; none after the last.
    fn next(&mut self) -> io::Result<Option<&ByteRecord>> {
        if !self.reader.read_byte_record(&mut self.record)? {
            return Ok(None);
        }
        if self.record.len() != self.columns {
            return Err(io::Error::other("a row has not a field for each column"));
        }
        self.count += 1;
        self.told.store(self.count, Ordering::Relaxed);
        Ok(Some(&self.record))
    }
}
