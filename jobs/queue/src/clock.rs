//! Where the time comes from: the machine in production, the test in a test.
//! SQL asks [`Clock::simulated`] first, so that all production machines share the database's clock.

use std::{fmt::Debug, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// A source of the current time.
pub trait Clock: Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> DateTime<Utc>;

    /// The time that SQL must use instead of the database's own clock, if this clock is simulated.
    fn simulated(&self) -> Option<DateTime<Utc>>;

    /// Announces each change of a simulated clock; real clocks have none.
    fn changes(&self) -> Option<watch::Receiver<DateTime<Utc>>>;
}

/// A clock that any number of owners share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn simulated(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn changes(&self) -> Option<watch::Receiver<DateTime<Utc>>> {
        None
    }
}

/// A clock that moves only when a test moves it.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    time: watch::Sender<DateTime<Utc>>,
}

impl SimulatedClock {
    /// A clock that stands at `time`.
    #[must_use]
    pub fn at(time: DateTime<Utc>) -> Self {
        Self { time: watch::Sender::new(time) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        self.time.send_modify(|time| *time = time.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC));
    }

    /// Moves the clock to `time`, forward or back.
    pub fn set(&self, time: DateTime<Utc>) {
        self.time.send_replace(time);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> DateTime<Utc> {
        *self.time.borrow()
    }

    fn simulated(&self) -> Option<DateTime<Utc>> {
        Some(self.now())
    }

    fn changes(&self) -> Option<watch::Receiver<DateTime<Utc>>> {
        Some(self.time.subscribe())
    }
}
