//! The sending of what patients are told.

mod ask_deliveries;
mod reconcile_messages;
mod send_message;
