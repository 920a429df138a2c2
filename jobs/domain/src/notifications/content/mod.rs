//! The words of the messages: pure functions of what they tell.
//! They say when and where, never why: no specialty, no reason, no clinical detail.

pub mod dates;
pub mod gsm7;
mod invitation;
mod layout;
mod reminder;

pub use crate::field::Language;
pub use invitation::{InvitationContext, invitation_email};
pub use reminder::{ReminderContext, reminder_email, reminder_text};

/// The words of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailContent {
    /// The subject.
    pub subject: String,
    /// The words as plain text.
    pub text: String,
    /// The same words as an HTML document.
    pub html: String,
}

/// Names come from forms: a line end in one would break the line that quotes it.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
