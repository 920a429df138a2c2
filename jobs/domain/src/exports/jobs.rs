//! The jobs of exports. What writes is limited for each tenant; what clears away does not wait behind it.

use std::time::Duration;

use permanence_queue::{Backoff, Job, Retention};
use serde::{Deserialize, Serialize};

use crate::ids::ExportId;

/// Writes an export's file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct WriteExport {
    /// The export.
    pub export_id: ExportId,
}

impl Job for WriteExport {
    const KIND: &'static str = "exports.write_export";
    const QUEUE: &'static str = "exports";
    const TIMEOUT: Duration = Duration::from_hours(4);
    // Somebody waits for it: what has failed for a few hours is told, not tried for days.
    const MAX_ATTEMPTS: i16 = 12;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_mins(30));
}

/// Takes what is left of an export out of the object store: it is over, or its time is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ClearExport {
    /// The export.
    pub export_id: ExportId,
}

impl Job for ClearExport {
    const KIND: &'static str = "exports.clear_export";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(5);
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(5), Duration::from_hours(1));
}

/// Finds exports that should be cleared and are not, uploads that nobody knows of, and files that nobody wants.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SweepExports {}

impl Job for SweepExports {
    const KIND: &'static str = "exports.sweep_exports";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(10);
    const RETENTION: Retention = Retention::Week;
}
