//! Backups of the whole platform: what is noted of each, what its manifest says, how long it is kept, what a database held and whether
//! another holds the same, and what must be done again after a restore. The dumping and restoring itself is the workers'.

mod erasures;
mod figures;
pub mod jobs;
mod keep;
mod manifest;
mod row;
mod source;
mod target;

pub use erasures::{ErasureNote, NOTES, Replayed, note_erasure, read_notes, replay};
pub use figures::{TableFigures, differences, table_figures};
pub use keep::Keep;
pub use manifest::{
    DUMPS, Manifest, Origin, backup_of, dump_key, list_manifests, manifest_key, read_manifest,
};
pub use row::{
    Begun, LastBackup, Left, begin, complete, fail, last_backup, note_removed, note_upload, note_verified,
};
pub use source::Source;
pub use target::{Target, resume_after_restore};
