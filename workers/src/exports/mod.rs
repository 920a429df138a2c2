//! Exports: rows written as files into the object store, and taken out of it again.

mod clear_export;
mod file;
mod pour;
mod sweep_exports;
mod sweep_uploads;
mod write_export;
