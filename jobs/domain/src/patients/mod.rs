//! The patients of a practice: who they are, how they may be reached, what they consented to.
//! Never holds anything clinical.

mod consent;
mod list;
mod patient;
mod unsubscribe;

pub use consent::{ConsentRecord, list_consents};
pub use list::{PatientQuery, list};
pub use patient::{Consents, NewConsents, NewPatient, Patient, delete, get, register, update};
pub use unsubscribe::{MailView, stop_mail, view_mail_link};
