//! How much a worker does: counted as it happens, and told with each heartbeat as a rate over the last minute.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::processes::Rates;

/// What a rate is an average of.
const WINDOW: Duration = Duration::from_mins(1);

/// What a worker has done since it began.
#[derive(Debug, Default)]
pub(super) struct Pace {
    started: AtomicU64,
    finished: AtomicU64,
}

impl Pace {
    /// A run begins.
    pub(super) fn start(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// A job has ended for good.
    pub(super) fn finish(&self) {
        self.finished.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> (u64, u64) {
        (self.started.load(Ordering::Relaxed), self.finished.load(Ordering::Relaxed))
    }
}

/// What a worker had done at each of its last heartbeats.
#[derive(Debug)]
pub(super) struct Samples(VecDeque<(Instant, (u64, u64))>);

impl Samples {
    /// A worker that has done nothing yet.
    pub(super) fn since(begin: Instant) -> Self {
        Self(VecDeque::from([(begin, (0, 0))]))
    }

    /// The rates at this heartbeat; a worker younger than a minute has done nothing before.
    pub(super) fn rates(&mut self, pace: &Pace, now: Instant) -> Rates {
        let (started, finished) = pace.counts();
        // The first one kept is the last that is a minute old.
        while self.0.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.0.pop_front();
        }
        let (from, (started_then, finished_then)) = self.0.front().copied().unwrap_or((now, (0, 0)));
        self.0.push_back((now, (started, finished)));
        let seconds = now.duration_since(from).max(WINDOW).as_secs_f64();
        // A minute's jobs are far fewer than a float tells apart.
        let per_second = |jobs: u64| u32::try_from(jobs).map_or(f64::from(u32::MAX), f64::from) / seconds;
        Rates { started: per_second(started - started_then), finished: per_second(finished - finished_then) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_last_minutes_and_falls_to_nothing() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let (pace, mut samples) = (Pace::default(), Samples::since(begin));
        for _ in 0..120 {
            pace.start();
        }
        for _ in 0..60 {
            pace.finish();
        }
        assert_eq!(samples.rates(&pace, at(3)), Rates { started: 2.0, finished: 1.0 });
        assert_eq!(samples.rates(&pace, at(60)), Rates { started: 2.0, finished: 1.0 });
        // From the sample at three seconds on nothing has happened.
        assert_eq!(samples.rates(&pace, at(63)), Rates { started: 0.0, finished: 0.0 });
        for _ in 0..87 {
            pace.start();
        }
        assert_eq!(samples.rates(&pace, at(90)), Rates { started: 1.0, finished: 0.0 });
        assert_eq!(samples.rates(&pace, at(1000)), Rates { started: 0.0, finished: 0.0 });
    }
}
