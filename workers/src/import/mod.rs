//! Moves practices in with what their browsers kept.

mod import_dump;
mod pass;
