//! One line of a file: its cells read by their columns, or every fault that it has.

use chrono::NaiveDate;

use super::{
    ImportMode,
    cells::{Unreadable, day, number, text},
    columns::Columns,
    names::Column,
    report::{Fault, Faults},
};
use crate::inventory::MOST;

/// Most of a price, euro cents.
const MOST_CENTS: i64 = 100_000_000;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub(super) number: i64,
    pub(super) reference: String,
    pub(super) name: String,
    pub(super) unit: Option<String>,
    pub(super) supplier: Option<String>,
    pub(super) location: Option<String>,
    pub(super) price_cents: Option<i64>,
    pub(super) threshold: Option<i64>,
    pub(super) quantity: Option<i64>,
    pub(super) lot: Option<String>,
    pub(super) expires_on: Option<NaiveDate>,
}

/// Reads cells and notes what does not read.
struct Cells<'a> {
    columns: &'a Columns,
    texts: &'a [&'a str],
    line: u64,
    faults: &'a mut Faults,
}

impl Cells<'_> {
    fn cell(&self, column: Column) -> Option<(usize, &str)> {
        let place = self.columns.place(column)?;
        Some((place, self.texts.get(place).copied().unwrap_or_default()))
    }

    fn fault(&mut self, column: Column, code: &str, expected: &str) {
        let mut fault = Fault::of_line(self.line, code, expected);
        if let Some((place, cell)) = self.cell(column) {
            fault = fault.at(place, &self.columns.headers[place]).read(cell);
        }
        self.faults.push(fault);
    }

    fn read<T>(
        &mut self,
        column: Column,
        parse: impl FnOnce(&str) -> Result<Option<T>, Unreadable>,
    ) -> Option<T> {
        let (_, cell) = self.cell(column)?;
        match parse(cell) {
            Ok(value) => value,
            Err(Unreadable { code, expected }) => {
                self.fault(column, code, expected);
                None
            }
        }
    }

    fn text(&mut self, column: Column, max: usize) -> Option<String> {
        self.read(column, |cell| Ok(text(cell, max)?.map(str::to_owned)))
    }

    /// A cell that must hold something; what does not read has been told already.
    fn needed<T>(&mut self, column: Column, value: Option<T>) -> Option<T> {
        let blank = self.cell(column).is_none_or(|(_, cell)| cell.trim().is_empty());
        if value.is_none() && blank {
            self.fault(column, "missing", "something in this cell");
        }
        value
    }
}

/// Reads a line. `None` if it has a fault, which was noted.
pub(super) fn read_line(
    columns: &Columns,
    mode: ImportMode,
    number_of_line: u64,
    cells: &[&str],
    faults: &mut Faults,
) -> Option<Line> {
    let before = faults.count;
    if !fits(columns, number_of_line, cells, faults) {
        return None;
    }
    let mut cells = Cells { columns, texts: cells, line: number_of_line, faults };
    let reference = cells.text(Column::Reference, 100);
    let reference = cells.needed(Column::Reference, reference);
    let name = cells.text(Column::Name, 100);
    let name = cells.needed(Column::Name, name);
    let quantity = if mode == ImportMode::Describe {
        None
    } else {
        let quantity = cells.read(Column::Quantity, |cell| number(cell, 3, MOST.into()));
        cells.needed(Column::Quantity, quantity)
    };
    let unit = cells.text(Column::Unit, 20);
    let price_cents = cells.read(Column::Price, |cell| number(cell, 2, MOST_CENTS));
    let supplier = cells.text(Column::Supplier, 100);
    let location = cells.text(Column::Location, 100);
    let threshold = cells.read(Column::Threshold, |cell| number(cell, 3, MOST.into()));
    let lot = cells.text(Column::Lot, 100);
    let expires_on = cells.read(Column::Expiry, day);
    if expires_on.is_some()
        && lot.is_none()
        && cells.cell(Column::Lot).is_none_or(|(_, lot)| lot.trim().is_empty())
    {
        cells.fault(Column::Expiry, "lot_needed", "the number of the lot that expires on that day");
    }
    if faults.count > before {
        return None;
    }
    Some(Line {
        number: i64::try_from(number_of_line).ok()?,
        reference: reference?,
        name: name?,
        unit,
        supplier,
        location,
        price_cents,
        threshold,
        quantity,
        lot,
        expires_on,
    })
}

/// Whether the line has a cell for each header. Blank ones at its end are no fault.
fn fits(columns: &Columns, line: u64, cells: &[&str], faults: &mut Faults) -> bool {
    let wanted = columns.headers.len();
    let beyond = cells.iter().skip(wanted).any(|cell| !cell.trim().is_empty());
    if cells.len() < wanted || beyond {
        let expected = format!("{wanted} cells, as the first line has");
        faults.push(Fault::of_line(line, "wrong_length", expected).read(&format!("{} cells", cells.len())));
        return false;
    }
    true
}
