//! What patients are told: the words, and the sending of them.

mod ask_deliveries;
pub mod message;
mod send_reminder;
