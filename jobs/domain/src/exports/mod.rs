//! Exports: a tenant's rows as a file that can be fetched for a day. Owns what can be asked for, what becomes of it, and
//! the reading of the rows; never writes a file.

mod attempt;
mod clear;
mod export;
mod formula;
pub mod jobs;
mod kinds;
mod personal;
mod request;
mod snapshot;

pub use attempt::{Draft, End, LIFE, Start, Turn, Written, begin, begin_turn, complete, end, note_upload};
pub use clear::{Leftover, Retreat, cleared, forget, known_uploads, retreat, sweep};
pub use export::{Download, Export, ExportQuery, ExportStatus, download, get, list, remove, withdraw};
pub use formula::{defused, is_formula};
pub use kinds::{Column, ExportKind, Holds, Kind};
pub use personal::{PersonalFile, file_key, find_file, request_file};
pub use request::{ExportFormat, Filters, MAX_SHEET_ROWS, NewExport, Profile, request};
pub use snapshot::Snapshot;

/// The area of the object store that exports lie in.
pub const AREA: &str = "exports";
