//! The messages that a practice sends to its patients and its team.
//! Sending them is the clients' work, deciding when is the domain's.

pub mod message;
