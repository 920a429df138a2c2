//! What patients are told, and the ledger of it. Plans and records; the worker sends.

pub mod content;
pub mod jobs;
mod ledger;
pub mod receipts;
mod reminder;
pub mod templates;

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use ledger::{
    ReminderEvent, ReminderLog, ReminderQuery, ReminderStatus, ReminderSummary, list_reminders, reminders_of,
};
pub use reminder::{
    Channel, ReminderEnd, ReminderMessage, ReminderStart, begin_reminder, cancel_reminders, end_reminder,
    plan_reminder, replan_patient,
};

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
