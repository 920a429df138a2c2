//! The job of receipts.

use std::time::Duration;

use permanence_queue::Job;
use serde::{Deserialize, Serialize};

/// Asks the providers that report nothing by themselves what became of the messages that they took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct AskDeliveries {}

impl Job for AskDeliveries {
    const KIND: &'static str = "notifications.ask_deliveries";
    const QUEUE: &'static str = "reminders";
    const TIMEOUT: Duration = Duration::from_mins(9);
    // The next one asks the same.
    const MAX_ATTEMPTS: i16 = 1;
}
