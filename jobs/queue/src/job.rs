//! What a kind of job declares about itself: its name, its queue and its policy.

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Identifies a job for its whole life, in the live table and in history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct JobId(pub i64);

/// How long a failed job waits: `base`, doubled with each attempt up to `cap`, give or take a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failed attempt.
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
}

impl Backoff {
    /// From ten seconds to six hours: twenty attempts take about three days.
    pub const DEFAULT: Self = Self::exponential(Duration::from_secs(10), Duration::from_hours(6));

    /// Doubles `base` with each attempt up to `cap`.
    #[must_use]
    pub const fn exponential(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }
}

/// A kind of job: its payload, and the policy by which it runs.
///
/// The payload holds ids, never personal data.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stable name of the kind, like `billing.render_invoice_pdf`.
    const KIND: &'static str;
    /// Names it had before: jobs enqueued under them are still performed. A kind is renamed only with an alias.
    const ALIASES: &'static [&'static str] = &[];
    /// The queue, and so the worker pool, that performs it.
    const QUEUE: &'static str;
    /// How long one attempt may take before it counts as failed.
    const TIMEOUT: Duration;
    /// Lower runs first.
    const PRIORITY: i16 = 0;
    /// How many attempts it gets before it is discarded.
    const MAX_ATTEMPTS: i16 = 20;
    /// How long it waits after a failed attempt.
    const BACKOFF: Backoff = Backoff::DEFAULT;
    /// How long its history is kept.
    const RETENTION: Retention = Retention::Quarter;
    /// The rate it shares with all jobs of the same key, like one SMS provider's; its queue has lanes.
    const RATE_KEY: Option<&'static str> = None;
}

/// How long the history of a kind is kept: whole partitions are dropped when all they hold is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Seven days: what nobody asks for again.
    Week,
    /// Ninety days.
    Quarter,
    /// Ten years: what proves that something was done.
    Decade,
}

impl Retention {
    /// How many days the history is kept.
    #[must_use]
    pub const fn days(self) -> i16 {
        match self {
            Self::Week => 7,
            Self::Quarter => 90,
            Self::Decade => 3650,
        }
    }
}

/// Postgres keeps durations as whole milliseconds in an `integer`: up to 24 days.
pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
