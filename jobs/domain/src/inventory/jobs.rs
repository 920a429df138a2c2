//! The jobs of the stock.

use std::time::Duration;

use permanence_queue::{Backoff, Job};
use serde::{Deserialize, Serialize};

use crate::ids::{DigestId, ImportId};

/// Looks for what fell below its threshold and for lots that expire: in the job's tenant or, where it has none, by a job
/// for each practice that keeps a stock.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct WatchStock {}

impl Job for WatchStock {
    const KIND: &'static str = "inventory.watch_stock";
    const QUEUE: &'static str = "stock";
    const TIMEOUT: Duration = Duration::from_mins(5);
}

/// Mails a member what a look at the stock found.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SendDigest {
    /// The digest.
    pub digest_id: DigestId,
}

impl Job for SendDigest {
    const KIND: &'static str = "inventory.send_digest";
    const QUEUE: &'static str = "reminders";
    // Longer than the longest talk with a mail server, step by step: a run cut short would leave its fate unknown.
    const TIMEOUT: Duration = Duration::from_mins(6);
}

/// Imports a supplier's file that lies in the object store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ImportItems {
    /// The import.
    pub import_id: ImportId,
}

impl Job for ImportItems {
    const KIND: &'static str = "inventory.import_items";
    const QUEUE: &'static str = "stock";
    const TIMEOUT: Duration = Duration::from_mins(30);
    // Somebody waits for it: a day of trying, not three.
    const MAX_ATTEMPTS: i16 = 12;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_hours(2));
}
