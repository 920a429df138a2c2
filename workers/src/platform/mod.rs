//! The platform's own housekeeping.

mod purge_answers;
