//! The platform's own housekeeping: jobs that belong to no tenant.

use std::time::Duration;

use permanence_queue::Job;
use serde::{Deserialize, Serialize};

/// Forgets the stored answers of POSTs after a day.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct PurgeAnswers {}

/// Tidies the queue: the coming days of its history made, the old ones dropped, released keys forgotten.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct MaintainQueue {}

impl Job for MaintainQueue {
    const KIND: &'static str = "platform.maintain_queue";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(10);
}

impl Job for PurgeAnswers {
    const KIND: &'static str = "platform.purge_answers";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(10);
}
