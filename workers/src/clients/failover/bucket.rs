//! How often a provider may be called: a token bucket on the clock's instants, one second deep.
//! It waits for nothing; the caller does.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::breaker::delta;

/// How long a message may wait for its turn before it is handed back to the queue.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Messages a second, from one in a thousand seconds to a thousand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(f64);

impl Rate {
    /// Takes a number of messages a second; `None` when it is not between 0.001 and 1,000.
    #[must_use]
    pub fn per_second(messages: f64) -> Option<Self> {
        (0.001..=1_000.0).contains(&messages).then_some(Self(messages))
    }
}

/// The bucket of one provider, kept as the instant at which it will be full again (the generic cell rate algorithm).
#[derive(Debug)]
pub(super) struct Bucket {
    /// From one token to the next.
    interval: Duration,
    /// How far ahead of now the bucket may be drawn: a second's worth of tokens but one.
    depth: Duration,
    full_at: Option<DateTime<Utc>>,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs_f64(1.0 / rate.0);
        Self { interval, depth: Duration::from_secs(1).saturating_sub(interval), full_at: None }
    }

    /// Takes a token and tells how long to wait for it, or tells after how long to ask again.
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> Result<Duration, Duration> {
        let furthest = now + delta(self.depth + self.interval + PATIENCE);
        // Further ahead than tokens are given out: the clock was set back.
        let full_at = self.full_at.filter(|at| *at <= furthest).map_or(now, |at| at.max(now));
        let wait = (full_at - now - delta(self.depth)).to_std().unwrap_or_default();
        if wait > PATIENCE {
            return Err(wait);
        }
        self.full_at = Some(full_at + delta(self.interval));
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn bucket(messages: f64) -> Bucket {
        Bucket::new(Rate::per_second(messages).unwrap())
    }

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis)
    }

    #[test]
    fn a_seconds_worth_goes_at_once_two_more_seconds_worth_wait() {
        let mut bucket = bucket(2.0);
        let waits: Vec<_> = (0..7).map(|_| bucket.take(at(0))).collect();
        let millis = |count| Ok(Duration::from_millis(count));
        assert_eq!(waits[..6], [millis(0), millis(0), millis(500), millis(1000), millis(1500), millis(2000)]);
        assert_eq!(waits[6], Err(Duration::from_millis(2500)));
        assert_eq!(bucket.take(at(500)), millis(2000), "a refused message took no token");
    }

    #[test]
    fn a_slow_rate_lets_the_first_go_and_tells_when_to_come_back() {
        let mut bucket = bucket(0.1);
        assert_eq!(bucket.take(at(0)), Ok(Duration::ZERO));
        assert_eq!(bucket.take(at(1_000)), Err(Duration::from_secs(9)));
        assert_eq!(bucket.take(at(8_000)), Ok(Duration::from_secs(2)));
    }

    #[test]
    fn a_clock_set_back_stops_nothing() {
        let mut bucket = bucket(1.0);
        assert!(bucket.take(at(3_600_000)).is_ok());
        assert_eq!(bucket.take(at(0)), Ok(Duration::ZERO));
    }

    #[test]
    fn a_rate_is_a_positive_number() {
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1_001.0] {
            assert_eq!(Rate::per_second(wrong), None, "{wrong}");
        }
    }

    proptest! {
        /// In no stretch of time do more messages leave than the rate allows, and one second's worth besides.
        #[test]
        fn never_more_than_the_rate(rate in 1_u32..50, steps in prop::collection::vec(0_i64..400, 1..300)) {
            let mut bucket = bucket(f64::from(rate));
            let mut now = 0;
            let mut left = Vec::new();
            for step in steps {
                now += step;
                if let Ok(wait) = bucket.take(at(now)) {
                    left.push(at(now) + TimeDelta::from_std(wait).unwrap());
                }
            }
            for (first, from) in left.iter().enumerate() {
                for (last, to) in left.iter().enumerate().skip(first) {
                    let seconds = (*to - *from).as_seconds_f64();
                    let most = f64::from(rate) * (seconds + 1.0) + 1e-6;
                    let count = u32::try_from(last - first + 1).unwrap();
                    prop_assert!(f64::from(count) <= most.max(1.0), "{count} in {seconds} s");
                }
            }
        }
    }
}
