//! When to stop calling a provider, and when to try it again: a state machine on the clock's instants.
//! It calls nothing and waits for nothing.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// At what point a provider is left alone, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// How far back calls count.
    pub window: Duration,
    /// Fewer calls than this in the window say nothing.
    pub least_calls: usize,
    /// The share of failed calls, in hundredths, from which the provider is left alone.
    pub failed_percent: usize,
    /// A call that takes this long is slow, whatever its end.
    pub slow: Duration,
    /// The share of slow calls, in hundredths, from which the provider is left alone.
    pub slow_percent: usize,
    /// How long it is left alone before one message tries it again.
    pub pause: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_mins(1),
            least_calls: 5,
            failed_percent: 50,
            slow: Duration::from_secs(10),
            slow_percent: 80,
            pause: Duration::from_secs(30),
        }
    }
}

/// The right to make one call, given back with the call's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Permit {
    /// Tells a call that was let through before the last change of state from one after it.
    generation: u64,
}

/// What a breaker says of a call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The provider works.
    Ready,
    /// It was left alone for long enough since this instant: one call may try it.
    Probe(DateTime<Utc>),
    /// It is left alone for this long yet.
    Paused(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// `since` is when it was left alone; `until` when a call may try it again.
    Open {
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    },
}

#[derive(Debug, Clone, Copy)]
struct Call {
    at: DateTime<Utc>,
    failed: bool,
    slow: bool,
}

/// More calls than this in a window add nothing to what they say.
const MOST_CALLS: usize = 200;

/// The breaker of one provider.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    state: State,
    generation: u64,
    calls: VecDeque<Call>,
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: State::Closed, generation: 0, calls: VecDeque::new() }
    }

    /// Whether the provider is being left alone, or only tried.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    pub(super) fn readiness(&self, now: DateTime<Utc>) -> Readiness {
        match self.state {
            State::Closed => Readiness::Ready,
            State::Open { since, until } => {
                // A clock that was set back must not make the pause longer than it is.
                let left = (until - now).min(delta(self.settings.pause));
                left.to_std()
                    .ok()
                    .filter(|left| !left.is_zero())
                    .map_or(Readiness::Probe(since), Readiness::Paused)
            }
        }
    }

    /// Lets one call through, if the provider is not being left alone. A probe has a pause's time to come back;
    /// if it never does, as when its worker is ended, another may go.
    pub(super) fn enter(&mut self, now: DateTime<Utc>) -> Option<Permit> {
        match self.readiness(now) {
            Readiness::Ready => {}
            Readiness::Paused(_) => return None,
            Readiness::Probe(since) => {
                self.generation += 1;
                self.state = State::Open { since, until: now + delta(self.settings.pause) };
            }
        }
        Some(Permit { generation: self.generation })
    }

    /// Takes note of a call's end.
    pub(super) fn leave(&mut self, permit: Permit, failed: bool, took: Duration, now: DateTime<Utc>) {
        if permit.generation != self.generation {
            return;
        }
        let slow = took >= self.settings.slow;
        match self.state {
            State::Closed => {
                self.note(Call { at: now, failed, slow });
                if self.is_too_bad() {
                    self.open(now);
                }
            }
            State::Open { .. } if failed || slow => self.open(now),
            State::Open { .. } => {
                self.generation += 1;
                self.state = State::Closed;
            }
        }
    }

    fn open(&mut self, now: DateTime<Utc>) {
        self.generation += 1;
        self.state = State::Open { since: now, until: now + delta(self.settings.pause) };
        self.calls.clear();
    }

    fn note(&mut self, call: Call) {
        let oldest = call.at - delta(self.settings.window);
        self.calls.retain(|earlier| earlier.at > oldest);
        if self.calls.len() == MOST_CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    fn is_too_bad(&self) -> bool {
        let all = self.calls.len();
        let reaches = |count: usize, percent: usize| count * 100 >= all * percent;
        let failed = self.calls.iter().filter(|call| call.failed).count();
        let slow = self.calls.iter().filter(|call| call.slow).count();
        all >= self.settings.least_calls
            && (reaches(failed, self.settings.failed_percent) || reaches(slow, self.settings.slow_percent))
    }
}

pub(super) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(300);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn call(breaker: &mut Breaker, failed: bool, took: Duration, now: i64) {
        let permit = breaker.enter(at(now)).unwrap();
        breaker.leave(permit, failed, took, at(now));
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for second in 0..5 {
            call(&mut breaker, true, QUICK, second);
        }
        breaker
    }

    #[test]
    fn opens_at_the_share_of_failures_and_not_on_few_calls() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for second in 0..4 {
            call(&mut breaker, true, QUICK, second);
        }
        assert_eq!(breaker.readiness(at(4)), Readiness::Ready, "four calls say nothing");
        call(&mut breaker, false, QUICK, 4);
        assert_eq!(breaker.readiness(at(4)), Readiness::Paused(Duration::from_secs(30)));

        let mut breaker = Breaker::new(BreakerSettings::default());
        for second in 0..100 {
            call(&mut breaker, second % 3 == 0, QUICK, second);
        }
        assert!(!breaker.is_open(), "a third is borne");
    }

    #[test]
    fn failures_outside_the_window_are_forgotten() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for second in [0, 20, 40, 61, 82] {
            call(&mut breaker, true, QUICK, second);
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn slow_calls_open_it_though_they_succeed() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for second in 0..5 {
            call(&mut breaker, false, Duration::from_secs(10), second);
        }
        assert!(breaker.is_open());
    }

    #[test]
    fn one_probe_goes_after_the_pause_and_decides() {
        let mut breaker = opened();
        assert_eq!(breaker.enter(at(33)), None);
        let probe = breaker.enter(at(34)).unwrap();
        assert_eq!(breaker.enter(at(34)), None, "one at a time");
        breaker.leave(probe, true, QUICK, at(35));
        assert_eq!(breaker.enter(at(64)), None, "a failed probe begins the pause again");
        let probe = breaker.enter(at(65)).unwrap();
        breaker.leave(probe, false, QUICK, at(66));
        assert_eq!(breaker.readiness(at(66)), Readiness::Ready);
    }

    #[test]
    fn a_probe_that_never_comes_back_is_followed_by_another() {
        let mut breaker = opened();
        let lost = breaker.enter(at(34)).unwrap();
        assert_eq!(breaker.enter(at(63)), None);
        let second = breaker.enter(at(64)).unwrap();
        breaker.leave(lost, false, QUICK, at(65));
        assert!(breaker.is_open(), "what came too late says nothing");
        breaker.leave(second, false, QUICK, at(65));
        assert!(!breaker.is_open());
    }

    #[test]
    fn calls_from_before_it_opened_do_not_close_it() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        let early = breaker.enter(at(0)).unwrap();
        for second in 0..5 {
            call(&mut breaker, true, QUICK, second);
        }
        breaker.leave(early, false, QUICK, at(6));
        assert!(breaker.is_open());
    }

    #[test]
    fn a_clock_set_back_does_not_lengthen_the_pause() {
        let breaker = opened();
        assert_eq!(breaker.readiness(at(-86_400)), Readiness::Paused(Duration::from_secs(30)));
    }
}
