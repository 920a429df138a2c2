//! Tables that go on over pages: the head is repeated, a row stays whole where a page can hold it.

use super::block::Block;
use super::flow::Flow;
use super::geometry::{Align, Area, Colour};
use super::wrap::Line;

/// Between two columns.
const GUTTER: f32 = 10.0;

/// What stands in a column of a row.
pub type Cell = Vec<Line>;

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Width of its text.
    pub width: f32,
    /// Where its lines stand.
    pub align: Align,
}

impl Column {
    /// How wide each column is where all are alike.
    pub fn even(total: f32, count: u16) -> f32 {
        (total + GUTTER) / f32::from(count) - GUTTER
    }

    /// How wide the text of the one column may be that takes what the others leave.
    pub fn rest(total: f32, others: &[Self]) -> f32 {
        others.iter().fold(total, |rest, column| rest - column.width - GUTTER)
    }
}

/// The lines between rows, and the room above and below their text.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Under the head.
    pub head: (f32, Colour),
    /// Under each row.
    pub row: (f32, Colour),
    /// Above and below the text of a row.
    pub padding: f32,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its columns; their widths and the gutters between them are the width of the table.
    pub columns: Vec<Column>,
    /// Its head, repeated on each page; none where it has no cell.
    pub head: Vec<Cell>,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
    /// Its lines.
    pub rules: Rules,
}

impl Table {
    /// Draws the table from here on.
    pub fn draw(&self, flow: &mut Flow) {
        let head = (!self.head.is_empty()).then(|| self.row(&self.head, self.rules.head));
        let head_height = head.as_ref().map_or(0.0, |head| head.height);
        if self.rows.is_empty() {
            begin(flow, head.as_ref(), 0.0);
        }
        for (place, cells) in self.rows.iter().enumerate() {
            let row = self.row(cells, self.rules.row);
            if place == 0 {
                begin(flow, head.as_ref(), row.height);
            } else if row.height > flow.room() && row.height + head_height <= flow.page_height() {
                begin_page(flow, head.as_ref());
            }
            if row.height <= flow.room() {
                flow.block(row);
            } else {
                self.split(flow, head.as_ref(), cells);
            }
        }
    }

    /// Cuts a row that no page holds between its lines.
    fn split(&self, flow: &mut Flow, head: Option<&Block>, cells: &[Cell]) {
        let mut rest: Vec<&[Line]> = cells.iter().map(Vec::as_slice).collect();
        // A fresh page takes a line of each column even if the head leaves no room, so that this ends.
        let mut least = 0;
        while rest.iter().any(|cell| !cell.is_empty()) {
            let room = flow.room() - 2.0 * self.rules.padding - self.rules.row.0;
            let mut part = Vec::with_capacity(rest.len());
            for cell in &mut rest {
                let (now, later) = cell.split_at(fitting(cell, room).max(least).min(cell.len()));
                part.push(now.to_vec());
                *cell = later;
            }
            if part.iter().any(|cell| !cell.is_empty()) {
                flow.block(self.row(&part, self.rules.row));
            }
            if rest.iter().any(|cell| !cell.is_empty()) {
                begin_page(flow, head);
                least = 1;
            }
        }
    }

    fn width(&self) -> f32 {
        self.columns.iter().map(|column| column.width + GUTTER).sum::<f32>() - GUTTER
    }

    fn row(&self, cells: &[Cell], rule: (f32, Colour)) -> Block {
        let mut block = Block::default();
        let mut x = 0.0;
        let mut bottom = self.rules.padding;
        for (column, cell) in self.columns.iter().zip(cells) {
            bottom = block.lines(cell, x, self.rules.padding, column.width, column.align).max(bottom);
            x += column.width + GUTTER;
        }
        let (thickness, colour) = rule;
        let y = bottom + self.rules.padding;
        if thickness > 0.0 {
            block.fill(Area { x: 0.0, y, width: self.width(), height: thickness }, colour);
        }
        block.height = y + thickness;
        block
    }
}

/// The head never stands alone at the foot of a page.
fn begin(flow: &mut Flow, head: Option<&Block>, first_row: f32) {
    let head_height = head.map_or(0.0, |head| head.height);
    flow.need(head_height + first_row.min(flow.page_height() / 4.0));
    if let Some(head) = head {
        flow.block(head.clone());
    }
}

fn begin_page(flow: &mut Flow, head: Option<&Block>) {
    flow.break_page();
    if let Some(head) = head {
        flow.block(head.clone());
    }
}

/// How many of these lines this much room holds.
fn fitting(lines: &[Line], room: f32) -> usize {
    let mut used = 0.0;
    lines
        .iter()
        .take_while(|line| {
            used += line.height;
            used <= room
        })
        .count()
}
