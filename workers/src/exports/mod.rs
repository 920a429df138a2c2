//! Exports: rows written as files into the object store, and taken out of it again. What writes another kind of file goes by
//! the same attempts, uploads and clearing.

pub(crate) mod attempt;
mod clear_export;
mod file;
mod pour;
mod sweep_exports;
mod sweep_uploads;
pub(crate) mod upload;
mod write_export;

pub(crate) use file::{Summed, archive_options};
