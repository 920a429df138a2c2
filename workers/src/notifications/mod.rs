//! The sending of what patients are told.

mod ask_deliveries;
mod send_reminder;
