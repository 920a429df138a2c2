//! The job that gathers what is known of a person.

use std::time::Duration;

use permanence_queue::{Backoff, Job};
use serde::{Deserialize, Serialize};

use crate::ids::AccessRequestId;

/// Writes the file that an access request asks for. It runs where the keys of what is sealed are.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct WriteAccessFile {
    /// The request.
    pub access_request_id: AccessRequestId,
}

impl Job for WriteAccessFile {
    const KIND: &'static str = "access.write_access_file";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_hours(1);
    // Somebody waits for it: what has failed for a few hours is told, not tried for days.
    const MAX_ATTEMPTS: i16 = 12;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_mins(30));
}
