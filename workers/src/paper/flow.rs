//! Fills pages from top to bottom and begins a new one when there is no room.

use super::block::Block;
use super::geometry::Align;
use super::page::{Mark, Page};
use super::wrap::Line;

/// The part of a page that is written on.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Left edge.
    pub left: f32,
    /// Width.
    pub width: f32,
    /// Upper edge on the first page.
    pub top: f32,
    /// Upper edge on the pages after it.
    pub top_after: f32,
    /// Lower edge.
    pub bottom: f32,
}

/// Pages that are being filled.
#[derive(Debug)]
pub struct Flow {
    /// Where may be written.
    pub frame: Frame,
    pages: Vec<Page>,
    page: Page,
    y: f32,
    /// Drawn on top of each page after the first.
    running_head: Block,
}

impl Flow {
    /// An empty first page.
    pub fn new(frame: Frame, running_head: Block) -> Self {
        Self { frame, pages: Vec::new(), page: Page::default(), y: frame.top, running_head }
    }

    /// What is left of the page.
    pub fn room(&self) -> f32 {
        self.frame.bottom - self.y
    }

    /// What a page after the first holds.
    pub fn page_height(&self) -> f32 {
        self.frame.bottom - self.frame.top_after
    }

    /// Begins a new page.
    pub fn break_page(&mut self) {
        self.pages.push(std::mem::take(&mut self.page));
        self.page.marks.extend(self.running_head.marks.iter().cloned());
        self.y = self.frame.top_after;
    }

    /// Begins a new page unless this much is left of the present one, or a new one would not help.
    pub fn need(&mut self, height: f32) {
        if height > self.room() && !self.at_top() {
            self.break_page();
        }
    }

    /// Leaves room, though not at the top of a page.
    pub fn gap(&mut self, height: f32) {
        if !self.at_top() {
            self.skip(height);
        }
    }

    /// Leaves room, at the top of a page too.
    pub fn skip(&mut self, height: f32) {
        self.y = (self.y + height).min(self.frame.bottom);
    }

    /// Goes down to a place on this page, never up.
    pub fn go_to(&mut self, y: f32) {
        self.y = self.y.max(y);
    }

    /// Puts a block on one page.
    pub fn block(&mut self, block: Block) {
        self.need(block.height);
        let (left, y) = (self.frame.left, self.y);
        self.y += block.height;
        self.draw(block, left, y);
    }

    /// Draws a block at a place of the present page, wherever the flow stands.
    pub fn draw(&mut self, mut block: Block, x: f32, y: f32) {
        for mark in &mut block.marks {
            mark.shift(x, y);
        }
        self.page.marks.append(&mut block.marks);
    }

    /// Writes lines below one another, over as many pages as they need. A first or last line never stands alone.
    pub fn lines(&mut self, lines: &[Line], indent: f32) {
        for (place, line) in lines.iter().enumerate() {
            let left = lines.len() - place;
            let together = if place == 0 || left == 2 { left.min(2) } else { 1 };
            self.need(lines[place..place + together].iter().map(|line| line.height).sum());
            let mut block = Block::default();
            block.lines(std::slice::from_ref(line), indent, 0.0, self.frame.width - indent, Align::Left);
            self.block(block);
        }
    }

    /// The pages; `footer` is drawn on each, given its number and how many there are.
    pub fn finish(mut self, footer: impl Fn(usize, usize) -> Vec<Mark>) -> Vec<Page> {
        self.pages.push(self.page);
        let count = self.pages.len();
        for (place, page) in self.pages.iter_mut().enumerate() {
            page.marks.extend(footer(place + 1, count));
        }
        self.pages
    }

    fn at_top(&self) -> bool {
        let top = if self.pages.is_empty() { self.frame.top } else { self.frame.top_after };
        self.y <= top
    }
}
