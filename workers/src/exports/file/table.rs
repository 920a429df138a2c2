//! CSV: RFC 4180, or as a spreadsheet in French reads it.

use std::io::{self, Read, Write};

use csv::Terminator;
use permanence_domain::exports::Profile;

use super::{Facts, Rows, cell::Cells};

/// What tells a spreadsheet that a file is UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

pub(super) fn write<W: Write>(facts: &Facts, mut rows: Rows<'_, impl Read>, mut out: W) -> io::Result<W> {
    let profile = facts.profile.unwrap_or(Profile::French);
    let delimiter = match profile {
        Profile::French => {
            out.write_all(BOM)?;
            b';'
        }
        Profile::Rfc4180 => b',',
    };
    let mut table = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(Terminator::CRLF)
        .buffer_capacity(64 * 1024)
        .from_writer(out);
    let columns = facts.kind.columns;
    table.write_record(columns.iter().map(|column| match profile {
        Profile::French => column.title,
        Profile::Rfc4180 => column.name,
    }))?;
    let mut cells = Cells::new(profile);
    while let Some(row) = rows.next()? {
        for (column, field) in columns.iter().zip(row) {
            table.write_field(cells.written(column.holds, field))?;
        }
        table.write_record(None::<&[u8]>)?;
    }
    table.into_inner().map_err(csv::IntoInnerError::into_error)
}
