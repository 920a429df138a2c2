//! The practitioners of a practice. Owns who treats; never who signs in.

mod practitioner;

pub use practitioner::{NewPractitioner, Practitioner, add, delete, get, list, update};
