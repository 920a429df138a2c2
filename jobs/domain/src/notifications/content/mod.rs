//! The words of the messages: pure functions of what they tell, and of a practice's own words where it has any.
//! They never tell why somebody comes: no specialty and no reason that they are not given on purpose.

mod access;
mod account_erasure;
pub mod calendar;
mod check;
pub mod dates;
mod facts;
mod fill;
pub mod gsm7;
mod invitation;
mod invoice;
mod layout;
mod letter;
mod password_reset;
mod render;
mod standard;
mod stock;

pub use crate::field::Language;
pub use access::{AccessDigest, access_digest_email, access_notice};
pub use account_erasure::{AccountErasureMail, AccountErasureNews, account_erasure_email};
pub use check::check;
pub use facts::AppointmentFacts;
pub use fill::PLACEHOLDERS;
pub use invitation::{InvitationContext, invitation_email};
pub use invoice::{InvoiceMail, invoice_email, overdue_email};
pub use layout::unbroken;
pub use password_reset::{PasswordChanged, PasswordReset, password_changed_email, password_reset_email};
pub use render::{Content, render};
pub use standard::{Words, standard};
pub use stock::{StockDigest, StockFact, stock_digest_email, stock_notice, stock_summary};

/// The words that a practice has chosen, with placeholders; the standard words have the same form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Which of the practice's versions it is.
    pub version: i32,
    /// The subject, of a mail.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// Whether letters that GSM-7 lacks are replaced by their closest, so that an SMS costs less.
    pub transliterate: bool,
}

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

#[cfg(test)]
mod tests;
