//! Files and pictures that people hand in: whose they are, who may see them, where they lie and under which key. Never holds a
//! file whole; what is in one is looked into where it is received.

mod file;
mod held;
pub mod images;
pub mod jobs;
mod look;
mod row;

pub use file::{Received, StoredContent, cleared, content, keep, leftover, retract};
pub use held::{HeldFile, every_file};
pub use look::media_type;
pub use row::{FileKind, FileQuery, NewFile, StoredFile, get, list};

/// The area of the object store that files lie in.
pub const AREA: &str = "files";
/// Most bytes of a file.
pub const MOST_BYTES: u64 = 10 * 1024 * 1024;
