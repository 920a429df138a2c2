//! What patients are told: the words, and the sending of them.

pub mod message;
mod reconcile_messages;
mod send_message;
