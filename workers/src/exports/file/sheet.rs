//! A workbook of one sheet, in French. Its rows lie in a temporary file without a name until the last is there: they are
//! compressed only then.

use std::io::{self, Read, Write};

use permanence_domain::exports::{Column, Holds};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::{Facts, Rows};

/// Width of every column, in characters.
const WIDTH: f64 = 18.0;

pub(super) fn write<W: Write + Send>(
    facts: &Facts,
    mut rows: Rows<'_, impl Read>,
    mut out: W,
) -> io::Result<W> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet_with_constant_memory().map_err(io::Error::other)?;
    let formats = Formats::new();
    head(sheet, facts, &formats).map_err(io::Error::other)?;
    let mut line = 0;
    while let Some(row) = rows.next()? {
        line += 1;
        for ((place, column), field) in (0..).zip(facts.kind.columns).zip(row) {
            if !field.is_empty() {
                let text = std::str::from_utf8(field).map_err(io::Error::other)?;
                put(sheet, (line, place), column, text, &formats).map_err(io::Error::other)?;
            }
        }
    }
    workbook.save_to_writer(&mut out).map_err(io::Error::other)?;
    Ok(out)
}

/// How cells look.
struct Formats {
    heading: Format,
    day: Format,
    time: Format,
    money: Format,
}

impl Formats {
    fn new() -> Self {
        Self {
            heading: Format::new().set_bold(),
            day: Format::new().set_num_format("dd/mm/yyyy"),
            time: Format::new().set_num_format("dd/mm/yyyy hh:mm"),
            money: Format::new().set_num_format("0.00"),
        }
    }
}

fn head(sheet: &mut Worksheet, facts: &Facts, formats: &Formats) -> Result<(), XlsxError> {
    sheet.set_name(facts.kind.title)?.set_freeze_panes(1, 0)?;
    for (place, column) in (0..).zip(facts.kind.columns) {
        sheet.set_column_width(place, WIDTH)?;
        sheet.write_string_with_format(0, place, column.title, &formats.heading)?;
    }
    Ok(())
}

/// Writes a cell as what it holds. A text is a text, whatever it begins with: no formula is ever written.
fn put(
    sheet: &mut Worksheet,
    (line, place): (u32, u16),
    column: &Column,
    text: &str,
    formats: &Formats,
) -> Result<(), XlsxError> {
    match column.holds {
        Holds::Number => match text.parse::<f64>() {
            Ok(number) => sheet.write_number(line, place, number)?,
            Err(_) => sheet.write_string(line, place, text)?,
        },
        Holds::Cents => match text.parse::<f64>() {
            Ok(cents) => sheet.write_number_with_format(line, place, cents / 100.0, &formats.money)?,
            Err(_) => sheet.write_string(line, place, text)?,
        },
        Holds::Thousandths => match text.parse::<f64>() {
            Ok(thousandths) => sheet.write_number(line, place, thousandths / 1000.0)?,
            Err(_) => sheet.write_string(line, place, text)?,
        },
        Holds::Bool => sheet.write_string(line, place, if text == "t" { "oui" } else { "non" })?,
        Holds::Word(words) => {
            let word = words.iter().find(|(word, _)| *word == text);
            sheet.write_string(line, place, word.map_or(text, |(_, french)| french))?
        }
        Holds::Day | Holds::Civil | Holds::Instant => {
            let format = if column.holds == Holds::Day { &formats.day } else { &formats.time };
            match ExcelDateTime::parse_from_str(text.get(..19).unwrap_or(text)) {
                Ok(at) => sheet.write_datetime_with_format(line, place, at, format)?,
                // A workbook knows no day before 1900.
                Err(_) => sheet.write_string(line, place, text)?,
            }
        }
        Holds::Text | Holds::Code => sheet.write_string(line, place, text)?,
    };
    Ok(())
}
