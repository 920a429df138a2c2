//! What patients are told, and the ledger of it; what members are told within the application. Plans and records; the
//! worker sends.

pub mod content;
mod digest;
mod due;
mod inbox;
pub mod jobs;
mod ledger;
mod link;
mod overdue;
mod plan;
mod reach;
pub mod receipts;
mod reconcile;
mod resolve;
mod send;
pub mod templates;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use digest::{Digest, DigestDraft, DigestStart};
pub(crate) use due::quiet;
pub use inbox::{
    Inbox, NewNotification, Notification, NotificationKind, delete_notification, inbox, notify,
    read_all_notifications, read_notification,
};
pub use ledger::{
    MessageEvent, MessageLog, MessageQuery, MessageStatus, MessageSummary, list_messages,
    messages_of_appointment, messages_of_patient,
};
pub use link::{AppointmentLink, Links, MailLink, open_appointment_link, open_mail_link, purge_links};
pub use overdue::{Overdue, overdue};
pub use plan::{Occasion, Subject, announce, replan_patient, withdraw};
pub use reach::{Contact, Unreachable, contact, note_unreachable};
pub use reconcile::{Place, Reconciled, reconcile};
pub use resolve::{Resolution, ResolveMessage, resolve_message};
pub use send::{MessageEnd, MessageStart, OutgoingMessage, begin_message, end_message};

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Channel {
    /// Text message.
    Sms,
    /// Email.
    Email,
}

impl Channel {
    /// The word for it, as in the database and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

/// What a message about an appointment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Purpose {
    /// It comes near.
    Reminder,
    /// It is booked, or has been moved.
    Confirmation,
    /// It does not take place.
    Cancellation,
}

impl Purpose {
    /// The word for it, as in the database and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reminder => "reminder",
            Self::Confirmation => "confirmation",
            Self::Cancellation => "cancellation",
        }
    }
}
