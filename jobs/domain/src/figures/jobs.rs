//! The jobs of the views.

use std::time::Duration;

use permanence_queue::{Backoff, Job};
use serde::{Deserialize, Serialize};

use super::View;

/// How long one refresh may take.
pub(super) const PATIENCE: Duration = Duration::from_hours(1);

/// Refreshes one view, unless a refresh has gone well that began after this one was asked for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RefreshView {
    /// The view.
    pub view: View,
    /// The number of the last refresh that had begun when it was asked for; 0 where there was none.
    pub after: i64,
}

impl Job for RefreshView {
    const KIND: &'static str = "figures.refresh_view";
    const QUEUE: &'static str = "views";
    // The statement gives up first.
    const TIMEOUT: Duration = Duration::from_mins(65);
    // By then the next one is due that recurs.
    const MAX_ATTEMPTS: i16 = 8;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(10), Duration::from_hours(1));
}

/// Has every view refreshed, by a job for each.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RefreshViews {}

impl Job for RefreshViews {
    const KIND: &'static str = "figures.refresh_views";
    const QUEUE: &'static str = "views";
    const TIMEOUT: Duration = Duration::from_mins(1);
}
