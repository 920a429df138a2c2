//! What patients are told, and the ledger of it. Plans and records; the worker sends.

pub mod jobs;
mod ledger;
pub mod receipts;
mod reminder;

pub use ledger::{
    ReminderEvent, ReminderLog, ReminderQuery, ReminderStatus, ReminderSummary, list_reminders, reminders_of,
};
pub use reminder::{
    Channel, ReminderEnd, ReminderMessage, ReminderStart, begin_reminder, cancel_reminders, end_reminder,
    plan_reminder, replan_patient,
};
