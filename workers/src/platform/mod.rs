//! The platform's own housekeeping.

mod maintain_queue;
mod purge_answers;
