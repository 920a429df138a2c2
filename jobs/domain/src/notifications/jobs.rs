//! The jobs of notifications.

use std::time::Duration;

use permanence_queue::{Backoff, Job};
use serde::{Deserialize, Serialize};

use crate::ids::ReminderId;

/// Reminds a patient of an appointment.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SendReminder {
    /// The reminder.
    pub reminder_id: ReminderId,
}

impl Job for SendReminder {
    const KIND: &'static str = "notifications.send_reminder";
    const QUEUE: &'static str = "reminders";
    // Longer than the longest talk with a mail server, step by step: a run cut short would leave its fate unknown.
    const TIMEOUT: Duration = Duration::from_mins(6);
    // A mail server that is away for the day is tried again until the reminder is of no use.
    const MAX_ATTEMPTS: i16 = 100;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(10), Duration::from_mins(20));
}
