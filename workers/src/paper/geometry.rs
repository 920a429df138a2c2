//! Lengths, places and colours. Lengths are points (1/72 inch); y counts downwards from the top edge of the page.

/// Width of an A4 page.
pub(super) const PAGE_WIDTH: f32 = 595.28;
/// Height of an A4 page.
pub(super) const PAGE_HEIGHT: f32 = 841.89;

/// Millimetres as points.
pub fn mm(millimetres: f32) -> f32 {
    millimetres * 72.0 / 25.4
}

/// A colour of sRGB, eight bits a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Where a line stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the left edge.
    Left,
    /// At the right edge: numbers.
    Right,
}

impl Align {
    /// How far a line of this width is from the left edge of a column of that width.
    pub(super) fn offset(self, line: f32, column: f32) -> f32 {
        match self {
            Self::Left => 0.0,
            Self::Right => column - line,
        }
    }
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// From left to right.
    pub width: f32,
    /// From top to bottom.
    pub height: f32,
}
