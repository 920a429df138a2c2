//! Consultations: appointments that a company's employee books with a practice. They lie with the practice; the employee
//! reaches their own across tenants, through [`book`], [`open`] and [`list`] alone, and the employer reaches none.

mod book;
mod conduct;
mod consultation;
mod event;
mod list;
mod offer;

pub use book::{NewConsultation, book};
pub use conduct::{CancelConsultation, cancel, confirm, end, note_no_show, start};
pub use consultation::{Consultation, ConsultationStatus, Side, get, open};
pub use event::{ConsultationEvent, EventKind, list_events};
pub use list::{ConsultationPage, Which, list};
pub use offer::{ConsultationSlots, OfferedPractitioner, offered, offered_slots};
