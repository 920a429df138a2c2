//! Lays text, tables and pictures out on A4 pages and writes them as PDF/A-3b. Knows nothing of what a page says: an
//! invoice, a quote or a letter is laid out by its own area.
//!
//! The same input gives the same bytes: no clock, no randomness, no table whose order differs from run to run.

mod archive;
mod block;
mod deflate;
mod draw;
mod flow;
mod font;
mod geometry;
mod image;
pub mod markdown;
mod page;
mod table;
mod text;
mod wrap;
mod xmp;

pub use archive::{Archive, Attachment, Extension};
pub use block::Block;
pub use flow::{Flow, Frame};
pub use font::{Face, Fonts, Style};
pub use geometry::{Align, Area, Colour, mm};
pub use image::Picture;
pub use page::{Mark, Page};
pub use table::{Cell, Column, Rules, Table};
pub use text::{one_line, printable};
pub use wrap::{Line, Span, wrap, wrap_at_most};

/// Why a paper cannot be made. None of it passes by itself.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// A font that is part of the program does not read.
    #[error("a font of the program cannot be read: {0}")]
    Font(String),
    /// The picture is no PNG, or too large to be one of a letterhead.
    #[error("the logo cannot be drawn: {0}")]
    Picture(String),
    /// The PDF cannot be put together.
    #[error("the PDF cannot be written: {0}")]
    Pdf(String),
    /// The XML cannot be put together.
    #[error("the XML cannot be written: {0}")]
    Xml(String),
}
