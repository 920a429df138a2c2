//! The jobs of migrations.

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
    // Where the keys are: a dump is sealed, and so is what is medical in it.
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_hours(4);
    // Somebody waits for it: a day of trying, not three.
    const MAX_ATTEMPTS: i16 = 12;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_hours(2));
}

/// Takes the dump and the backup of a migration out of the object store: their time is over, or somebody ended them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ClearMigration {
    /// The migration.
    pub migration_id: MigrationId,
}

impl Job for ClearMigration {
    const KIND: &'static str = "import.clear_migration";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(5);
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_hours(1));
}
