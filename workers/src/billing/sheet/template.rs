//! The body of the paper: the words of a practice's template around what is invoiced, the totals and the payment. A marker
//! alone in a paragraph stands for one of the three; one that the template leaves out follows at its end.

use super::{ACCENT, HAIRLINE, INK, Sheet};
use crate::paper::markdown::{self, Part};
use crate::paper::{Align, Area, Block, Cell, Column, Face, Flow, Rules, Span, Table, wrap};

const SIZE: f32 = 10.0;

/// What a document has to show whatever its template says.
#[derive(Clone, Copy, PartialEq)]
enum Standard {
    Items,
    Totals,
    Payment,
}

const STANDARD: [(Standard, &str); 3] =
    [(Standard::Items, "[[items]]"), (Standard::Totals, "[[totals]]"), (Standard::Payment, "[[payment]]")];

impl Sheet<'_> {
    pub(super) fn body(&self, flow: &mut Flow) {
        let style = self.style(Face::Regular, SIZE, INK);
        let words = self.document.words.as_deref().unwrap_or_default();
        let mut missing = STANDARD.to_vec();
        for part in markdown::read(words, self.fonts, style) {
            let marker = part.plain().map(|text| text.trim().to_owned());
            let known = STANDARD.iter().find(|(_, name)| marker.as_deref() == Some(*name));
            match known {
                Some((standard, _)) => {
                    let waiting = missing.iter().position(|(other, _)| other == standard);
                    // Written twice it is shown once: an amount to pay must not look like two.
                    if let Some(waiting) = waiting {
                        missing.remove(waiting);
                        self.standard(flow, *standard);
                    }
                }
                None => self.part(flow, &part),
            }
        }
        for (standard, _) in missing {
            self.standard(flow, standard);
        }
    }

    fn standard(&self, flow: &mut Flow, standard: Standard) {
        flow.gap(4.0);
        match standard {
            Standard::Items => self.items(flow),
            Standard::Totals => self.totals(flow),
            Standard::Payment => self.payment(flow),
        }
    }

    fn part(&self, flow: &mut Flow, part: &Part) {
        let width = flow.frame.width;
        match part {
            Part::Heading(level, spans) => {
                let size = [15.0, 12.5, 11.0].get(usize::from(*level) - 1).copied().unwrap_or(SIZE);
                let style = self.style(Face::Bold, size, ACCENT);
                let spans: Vec<Span> = spans.iter().map(|span| Span::new(span.text.clone(), style)).collect();
                let lines = wrap(&spans, width);
                // A heading stays with what it is the heading of.
                flow.need(lines.iter().map(|line| line.height).sum::<f32>() + 40.0);
                flow.gap(4.0);
                flow.lines(&lines, 0.0);
                flow.gap(4.0);
            }
            Part::Paragraph(spans) => {
                flow.lines(&wrap(spans, width), 0.0);
                flow.gap(8.0);
            }
            Part::Entry(depth, bullet, spans) => {
                let indent = 14.0 * f32::from((*depth).min(6));
                let bullet = self.lines(bullet, Face::Regular, SIZE, ACCENT, 20.0);
                let lines = wrap(spans, width - indent);
                flow.need(lines.first().map_or(0.0, |line| line.height));
                let mut block = Block::default();
                block.lines(&bullet, indent - 13.0, 0.0, 20.0, Align::Left);
                block.height = 0.0;
                flow.block(block);
                flow.lines(&lines, indent);
                flow.gap(3.0);
            }
            Part::Table(rows) => word_table(flow, rows),
            Part::Rule => {
                let mut block = Block::default();
                block.fill(Area { x: 0.0, y: 4.0, width, height: 0.5 }, HAIRLINE);
                block.height = 12.0;
                flow.block(block);
            }
        }
    }
}

fn word_table(flow: &mut Flow, rows: &[Vec<Vec<Span>>]) {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let Ok(columns) = u16::try_from(count) else { return };
    if columns == 0 {
        return;
    }
    let width = Column::even(flow.frame.width, columns);
    if width < 24.0 {
        // More columns than the page has room for: one below the other.
        for spans in rows.iter().flatten() {
            flow.lines(&wrap(spans, flow.frame.width), 0.0);
        }
        return;
    }
    let cells = |row: &Vec<Vec<Span>>| row.iter().map(|spans| wrap(spans, width)).collect::<Vec<Cell>>();
    let mut rows = rows.iter().map(cells);
    let head = rows.next().unwrap_or_default();
    let rules = Rules { head: (1.0, ACCENT), row: (0.4, HAIRLINE), padding: 4.0 };
    let columns = vec![Column { width, align: Align::Left }; count];
    Table { columns, head, rows: rows.collect(), rules }.draw(flow);
    flow.gap(8.0);
}
