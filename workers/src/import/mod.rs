//! Moves practices in with what their browsers kept.

mod clear_migration;
mod import_dump;
mod pass;
