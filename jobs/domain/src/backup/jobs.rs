//! The jobs of backups. They belong to no tenant.

use std::time::Duration;

use permanence_queue::{Backoff, Job, NewJob, Unique};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// Writes a backup of the whole database, sealed, into the object store, and reads it back.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct WriteBackup {}

impl Job for WriteBackup {
    const KIND: &'static str = "backup.write_backup";
    const QUEUE: &'static str = "backups";
    const TIMEOUT: Duration = Duration::from_hours(12);
    const MAX_ATTEMPTS: i16 = 10;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(10), Duration::from_hours(1));
}

impl WriteBackup {
    /// The job: while one waits or runs, another is the same.
    pub fn job() -> Result<NewJob, permanence_queue::Error> {
        Ok(NewJob::of(&Self {})?.unique(Unique::until_finished("backup")))
    }
}

/// Removes the backups that have served their time, with what nobody needs without them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RemoveBackups {}

impl Job for RemoveBackups {
    const KIND: &'static str = "backup.remove_backups";
    const QUEUE: &'static str = "backups";
    const TIMEOUT: Duration = Duration::from_hours(1);
}
