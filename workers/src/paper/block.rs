//! Marks that stay together, from an upper edge of their own: a box of totals, an address.

use super::geometry::{Align, Area, Colour};
use super::page::Mark;
use super::wrap::Line;

/// Marks that stay together.
#[derive(Debug, Clone, Default)]
pub struct Block {
    pub(super) marks: Vec<Mark>,
    /// From its upper to its lower edge.
    pub height: f32,
}

impl Block {
    /// Writes lines below one another and says where they end.
    pub fn lines(&mut self, lines: &[Line], x: f32, y: f32, width: f32, align: Align) -> f32 {
        let mut top = y;
        for line in lines {
            let left = x + align.offset(line.width, width);
            for piece in &line.pieces {
                self.marks.push(Mark::Text {
                    x: left + piece.x,
                    y: top + line.baseline(),
                    width: piece.width,
                    text: piece.text.clone(),
                    style: piece.style,
                });
            }
            top += line.height;
        }
        self.height = self.height.max(top);
        top
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, area: Area, colour: Colour) {
        self.height = self.height.max(area.y + area.height);
        self.marks.push(Mark::Fill(area, colour));
    }

    /// Draws a mark of its own.
    pub fn mark(&mut self, mark: Mark, bottom: f32) {
        self.height = self.height.max(bottom);
        self.marks.push(mark);
    }

    /// Its marks.
    pub fn into_marks(self) -> Vec<Mark> {
        self.marks
    }

    /// Draws a block with its upper left corner here.
    pub fn block(&mut self, mut other: Self, x: f32, y: f32) {
        for mark in &mut other.marks {
            mark.shift(x, y);
        }
        self.height = self.height.max(y + other.height);
        self.marks.append(&mut other.marks);
    }
}
