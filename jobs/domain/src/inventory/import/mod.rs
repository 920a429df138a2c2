//! Imports of suppliers' files (CSV): read as a stream, checked line by line, applied whole or not at all. Whatever is wrong
//! is told with its line and column. Never evaluates what a cell holds.

mod apply;
mod cells;
mod check;
mod columns;
mod encoding;
mod line;
mod names;
mod read;
mod report;
mod request;
mod stage;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use apply::{Made, apply};
pub use check::check_lines;
pub use columns::Mapping;
pub use line::Line;
pub use names::Column;
pub use read::{LineReader, Reading, sniff};
pub use report::{Fault, FoundColumn, Report};
pub use request::{
    Import, ImportOptions, ImportStart, ImportStatus, Started, begin_import, end_import, get_import,
    request_import,
};
pub use stage::{Stage, stage};

/// The area of the object store that files to import lie in.
pub const AREA: &str = "imports";

/// What the quantities of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ImportMode {
    /// What was delivered: it is added to the stock.
    Receive,
    /// What was counted: the stock becomes that.
    Count,
    /// Nothing: the file describes items, and the stock stays.
    Describe,
}
