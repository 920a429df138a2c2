//! What keeps a cell that people wrote from being calculated by a spreadsheet (OWASP, CSV injection).

use std::borrow::Cow;

/// What a spreadsheet takes for the begin of a formula, or skips before it looks for one.
const FORMULA: &[u8] = b"=+-@\t\r\n";

/// Whether a spreadsheet would take the cell for a formula.
pub fn is_formula(cell: &[u8]) -> bool {
    cell.first().is_some_and(|byte| FORMULA.contains(byte))
}

/// The cell, with an apostrophe before what would be taken for a formula.
pub fn defused(cell: &str) -> Cow<'_, str> {
    if is_formula(cell.as_bytes()) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}
