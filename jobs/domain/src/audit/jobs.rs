//! The jobs of the audit trail. They belong to no tenant.

use std::time::Duration;

use permanence_queue::{Job, Retention};
use serde::{Deserialize, Serialize};

/// Seals what was recorded, and anchors the heads of the chains in the object store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SealEntries {}

impl Job for SealEntries {
    const KIND: &'static str = "audit.seal_entries";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(10);
    // The next minute's run does what this one did not.
    const MAX_ATTEMPTS: i16 = 2;
    const RETENTION: Retention = Retention::Week;
}

/// Removes the entries that have served their time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ForgetEntries {}

impl Job for ForgetEntries {
    const KIND: &'static str = "audit.forget_entries";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_hours(1);
}
