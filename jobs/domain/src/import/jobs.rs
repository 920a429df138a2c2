//! The job of a migration.

use std::time::Duration;

use permanence_queue::{Backoff, Job};
use serde::{Deserialize, Serialize};

use crate::ids::MigrationId;

/// Moves in what a dump holds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ImportDump {
    /// The migration.
    pub migration_id: MigrationId,
}

impl Job for ImportDump {
    const KIND: &'static str = "import.import_dump";
    const QUEUE: &'static str = "stock";
    const TIMEOUT: Duration = Duration::from_hours(4);
    // Somebody waits for it: a day of trying, not three.
    const MAX_ATTEMPTS: i16 = 12;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_hours(2));
}
