//! The table of what is invoiced.

use permanence_domain::billing::{Cents, Line as Item, Vat, VatCategory};

use super::{ACCENT, HAIRLINE, INK, MUTED, Sheet};
use crate::billing::format;
use crate::paper::{Align, Cell, Column, Face, Flow, Rules, Table, one_line};

const SIZE: f32 = 9.5;
const HEAD: f32 = 8.0;

/// A column of numbers: its name, and what an item shows in it.
struct Numbers<'a> {
    name: &'static str,
    values: Vec<String>,
    /// The narrowest that it may be.
    least: f32,
    most: f32,
    sheet: &'a Sheet<'a>,
}

impl Numbers<'_> {
    /// Wide enough for its widest number and for its name on two lines.
    fn column(&self) -> Column {
        let style = self.sheet.style(Face::Regular, SIZE, INK);
        let widest = self.values.iter().map(|value| style.width(value) + 0.1).fold(self.least, f32::max);
        Column { width: widest.min(self.most), align: Align::Right }
    }
}

impl Sheet<'_> {
    pub(super) fn items(&self, flow: &mut Flow) {
        let numbers = self.numbers();
        let columns: Vec<Column> = numbers.iter().map(Numbers::column).collect();
        let first = Column { width: Column::rest(flow.frame.width, &columns), align: Align::Left };
        let heading = |text: &str, width| self.lines(text, Face::Bold, HEAD, ACCENT, width);
        let mut head = vec![heading(self.words.description, first.width)];
        head.extend(numbers.iter().zip(&columns).map(|(number, column)| heading(number.name, column.width)));
        let mut rows: Vec<Vec<Cell>> =
            self.document.lines.iter().map(|item| vec![self.designation(item, first.width)]).collect();
        for (number, column) in numbers.iter().zip(&columns) {
            for (row, value) in rows.iter_mut().zip(&number.values) {
                row.push(self.lines(value, Face::Regular, SIZE, INK, column.width));
            }
        }
        let rules = Rules { head: (1.0, ACCENT), row: (0.4, HAIRLINE), padding: 5.0 };
        let columns = std::iter::once(first).chain(columns).collect();
        Table { columns, head, rows, rules }.draw(flow);
        flow.gap(16.0);
    }

    fn designation(&self, item: &Item, width: f32) -> Cell {
        let mut lines = self.lines(&one_line(&item.name), Face::Regular, SIZE, INK, width);
        if let Some(description) = &item.description {
            lines.extend(self.lines(description, Face::Regular, 8.5, MUTED, width));
        }
        lines
    }

    fn numbers(&self) -> Vec<Numbers<'_>> {
        let (words, language) = (self.words, self.document.language);
        let items = &self.document.lines;
        let bears_vat = self.bears_vat();
        let column = |name, least, most, value: &dyn Fn(&Item) -> String| Numbers {
            name,
            values: items.iter().map(value).collect(),
            least,
            most,
            sheet: self,
        };
        let price = if bears_vat { words.price_net } else { words.price };
        let mut columns = vec![
            column(words.quantity, 40.0, 70.0, &|item| format::quantity(item.quantity, &item.unit, language)),
            column(price, if bears_vat { 66.0 } else { 52.0 }, 90.0, &|item| self.euros(item.unit_price)),
        ];
        if items.iter().any(|item| item.discount != Cents::ZERO) {
            columns.push(column(words.discount, 44.0, 90.0, &|item| match item.discount {
                Cents::ZERO => "–".to_owned(),
                discount => self.euros(-discount),
            }));
        }
        if bears_vat {
            columns.push(column(words.vat, 36.0, 50.0, &|item| self.rate(item.vat)));
        }
        let amount = if bears_vat { words.amount_net } else { words.amount };
        columns.push(column(amount, 56.0, 90.0, &|item| self.euros(item.net)));
        columns
    }

    pub(super) fn rate(&self, vat: Vat) -> String {
        match vat.category {
            VatCategory::Standard => format::rate(vat.rate, self.document.language),
            VatCategory::Care | VatCategory::Franchise => self.words.exempt.to_owned(),
        }
    }
}
