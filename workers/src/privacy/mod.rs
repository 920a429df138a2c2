//! Erasure, step by step, and its proof.

mod erase_subjects;
mod find_due_erasures;
mod paper;
mod render_certificate;
