//! The Fichier des Écritures Comptables (LPF, art. A47 A-1): names of the fields, then one line a line of an entry, fields
//! apart by tabs. No field is quoted, so none may hold what parts them.

use std::io::{self, Read, Write};

use permanence_domain::exports::Profile;

use super::{Facts, Rows, cell::Cells};

pub(super) fn write<W: Write>(facts: &Facts, mut rows: Rows<'_, impl Read>, mut out: W) -> io::Result<W> {
    let columns = facts.kind.columns;
    let mut line = columns.iter().map(|column| column.name).collect::<Vec<_>>().join("\t").into_bytes();
    line.extend_from_slice(b"\r\n");
    out.write_all(&line)?;
    let mut cells = Cells::new(Profile::French);
    while let Some(row) = rows.next()? {
        line.clear();
        for (place, (column, field)) in columns.iter().zip(row).enumerate() {
            if place > 0 {
                line.push(b'\t');
            }
            let cell = cells.written(column.holds, field);
            line.extend(
                cell.iter().map(|&byte| if byte.is_ascii_control() || byte == b'|' { b' ' } else { byte }),
            );
        }
        line.extend_from_slice(b"\r\n");
        out.write_all(&line)?;
    }
    Ok(out)
}
