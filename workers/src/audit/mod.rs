//! The audit trail's own jobs.

mod forget_entries;
mod seal_entries;
