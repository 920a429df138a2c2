//! The private stand-ins that let one process run the whole platform and every test: Postgres, S3, an outbox for
//! mail and SMS. It knows no area of the domain and never runs in production.

pub mod bench;
mod error;
mod faults;
mod http;
mod listener;
pub mod mail;
pub mod outbox;
pub mod postgres;
pub mod sms;
pub mod storage;
pub mod testing;

pub use error::Error;
pub use faults::Faults;
