//! The jobs of erasure.

use std::time::Duration;

use permanence_queue::{Backoff, Job};
use serde::{Deserialize, Serialize};

use crate::ids::ErasureId;

/// Finds the practices that have somebody to erase, and those that keep something whose time is over.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FindDueErasures {}

impl Job for FindDueErasures {
    const KIND: &'static str = "privacy.find_due_erasures";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(10);
}

/// Erases everybody of a practice whose erasure is due, searches once for all of them, and certifies it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct EraseSubjects {}

impl Job for EraseSubjects {
    const KIND: &'static str = "privacy.erase_subjects";
    const QUEUE: &'static str = "erasures";
    const TIMEOUT: Duration = Duration::from_hours(2);
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(30), Duration::from_hours(1));
}

/// Draws the certificate of an erasure; in the pool that draws.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RenderCertificate {
    /// The erasure.
    pub erasure_id: ErasureId,
}

impl Job for RenderCertificate {
    const KIND: &'static str = "privacy.render_certificate";
    const QUEUE: &'static str = "invoices";
    const TIMEOUT: Duration = Duration::from_mins(2);
}

/// Erases every account that is due, step by step, searches once for all that are done, and certifies them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct EraseAccounts {}

impl Job for EraseAccounts {
    const KIND: &'static str = "privacy.erase_accounts";
    const QUEUE: &'static str = EraseSubjects::QUEUE;
    const TIMEOUT: Duration = EraseSubjects::TIMEOUT;
    const BACKOFF: Backoff = EraseSubjects::BACKOFF;
}

/// Draws the certificate of an account's erasure; in the pool that draws.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RenderAccountCertificate {
    /// The erasure.
    pub erasure_id: ErasureId,
}

impl Job for RenderAccountCertificate {
    const KIND: &'static str = "privacy.render_account_certificate";
    const QUEUE: &'static str = "invoices";
    const TIMEOUT: Duration = RenderCertificate::TIMEOUT;
}
