//! A page as the marks on it, before it becomes PDF: what tests measure.

use std::sync::Arc;

use super::font::Style;
use super::geometry::{Area, Colour};
use super::image::Picture;

/// Something drawn.
#[derive(Debug, Clone)]
pub enum Mark {
    /// Letters on a baseline.
    Text {
        /// Where they begin.
        x: f32,
        /// The baseline.
        y: f32,
        /// How wide they are.
        width: f32,
        /// The letters.
        text: String,
        /// How they look.
        style: Style,
    },
    /// A filled rectangle; a rule is a thin one.
    Fill(Area, Colour),
    /// A picture.
    Picture(Area, Arc<Picture>),
}

impl Mark {
    /// Moves it.
    pub(super) fn shift(&mut self, right: f32, down: f32) {
        let (x, y) = match self {
            Self::Text { x, y, .. } => (x, y),
            Self::Fill(area, _) | Self::Picture(area, _) => (&mut area.x, &mut area.y),
        };
        *x += right;
        *y += down;
    }
}

/// The marks of one page, in the order in which they are drawn.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The marks.
    pub marks: Vec<Mark>,
}
