//! The jobs of access: what gathers what is known of a person, and what sees to it that a request is answered in time.

use std::time::Duration;

use permanence_queue::{Backoff, Job};
use serde::{Deserialize, Serialize};

use crate::ids::{AccessRequestId, DigestId};

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

/// Looks for requests whose last day is near: in the job's tenant or, where it has none, by a job for each practice that has one.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct WatchAccessRequests {}

impl Job for WatchAccessRequests {
    const KIND: &'static str = "access.watch_requests";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(5);
}

/// Mails a member which requests are to be answered soon.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SendAccessDigest {
    /// The digest.
    pub digest_id: DigestId,
}

impl Job for SendAccessDigest {
    const KIND: &'static str = "access.send_digest";
    const QUEUE: &'static str = "reminders";
    // Longer than the longest talk with a mail server, step by step: a run cut short would leave its fate unknown.
    const TIMEOUT: Duration = Duration::from_mins(6);
}
