//! The sending of what patients are told.

mod send_reminder;
