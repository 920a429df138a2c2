//! How long things took, told by hundredths.

use std::{fmt, time::Duration};

/// The median, the slowest twentieth and hundredth, and the slowest.
pub(crate) struct Figures {
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
    pub(crate) p99: Duration,
    most: Duration,
}

impl Figures {
    /// Of at least one.
    pub(crate) fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let [p50, p95, p99] = [50, 95, 99].map(|p| took[took.len() * p / 100]);
        Self { p50, p95, p99, most: took[took.len() - 1] }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p95, p99, most } = self;
        write!(f, "p50 {p50:.2?}, p95 {p95:.2?}, p99 {p99:.2?}, max {most:.2?}")
    }
}
