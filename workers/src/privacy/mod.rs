//! Erasure, step by step, and its proof.

mod erase_accounts;
mod erase_subjects;
mod find_due_erasures;
mod paper;
mod render_account_certificate;
mod render_certificate;
