//! The sending of what patients are told.

mod ask_deliveries;
pub(crate) mod digest;
mod reconcile_messages;
mod send_message;
