//! The jobs of notifications.

use std::time::Duration;

use permanence_queue::{Backoff, Job};
use serde::{Deserialize, Serialize};

use crate::ids::MessageId;

/// Tells a patient something about an appointment.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SendMessage {
    /// The message.
    #[serde(alias = "reminder_id")]
    pub message_id: MessageId,
}

impl Job for SendMessage {
    const KIND: &'static str = "notifications.send_message";
    const ALIASES: &'static [&'static str] = &["notifications.send_reminder"];
    const QUEUE: &'static str = "reminders";
    // Longer than the longest talk with a mail server, step by step: a run cut short would leave its fate unknown.
    const TIMEOUT: Duration = Duration::from_mins(6);
    // A mail server that is away for the day is tried again until the message is of no use.
    const MAX_ATTEMPTS: i16 = 100;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(10), Duration::from_mins(20));
}

/// Proves that each coming appointment has exactly its reminders, and mends what differs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ReconcileMessages {}

impl Job for ReconcileMessages {
    const KIND: &'static str = "notifications.reconcile_messages";
    const QUEUE: &'static str = "reminders";
    const TIMEOUT: Duration = Duration::from_hours(1);
}
