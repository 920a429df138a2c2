//! The sending of what patients are told.

mod reconcile_messages;
mod send_message;
