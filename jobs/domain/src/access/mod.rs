//! A person's right to know what is known of them (GDPR art. 15 and 20): who asked, what is gathered, what became of it. Owns which
//! tables are gathered and which are not, and why; never writes a file.

mod digest;
mod due;
mod gathered;
pub mod jobs;
mod list;
mod patient;
mod request;
mod row;
mod section;
mod user;
mod without;

pub use digest::{begin_digest, end_digest};
pub use due::{overdue, request_watches, watch};
pub use gathered::{Attached, Gathered, Whose, gather};
pub use list::{AccessRequestQuery, list};
pub use request::{
    Fetch, Task, begin_task, fetch_of_patient, fetch_of_user, get, latest_of_user, request_of_patient,
    request_of_user,
};
pub use row::{AccessRequest, Standing};
pub use section::{Field, Holds, Section, Shape, Words};
pub use without::{WITHOUT_PATIENT, WITHOUT_USER};

/// What is gathered of a patient, in the order in which it is told.
pub fn shapes_of_patient() -> impl Iterator<Item = &'static Shape> {
    patient::SECTIONS.iter().map(|section| &section.shape)
}

/// What is gathered of a user, in the order in which it is told.
pub fn shapes_of_user() -> impl Iterator<Item = &'static Shape> {
    user::SECTIONS.iter().map(|section| &section.shape)
}
