//! Which provider a message goes to now: the first of the preferred ones that is not being left alone.
//! It calls nothing; the instants come from the caller.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::breaker::{Breaker, BreakerSettings, Permit, Readiness};
use super::bucket::{Bucket, Rate};

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Wait this long for the turn, then hand it to the provider at this place in the order.
    Call { place: usize, permit: Permit, wait: Duration },
    /// The provider whose turn it is may be called again after this time: it is busy, not broken.
    Busy(Duration),
    /// Every provider that was not tried yet is left alone, the first of them for this long; `None` when all
    /// were tried.
    Paused(Option<Duration>),
}

#[derive(Debug)]
struct Lane {
    breaker: Breaker,
    bucket: Option<Bucket>,
}

/// The state of all providers of a channel, in their order of preference.
#[derive(Debug)]
pub(super) struct Switch {
    lanes: Vec<Lane>,
}

impl Switch {
    pub(super) fn new(settings: BreakerSettings, rates: impl IntoIterator<Item = Option<Rate>>) -> Self {
        let lane =
            |rate: Option<Rate>| Lane { breaker: Breaker::new(settings), bucket: rate.map(Bucket::new) };
        Self { lanes: rates.into_iter().map(lane).collect() }
    }

    /// Chooses among the providers that this message was not handed to yet.
    ///
    /// The order of preference holds among those that work or are due to be tried; where none works, the one that
    /// was left alone first is tried first.
    pub(super) fn choose(&mut self, tried: &[usize], now: DateTime<Utc>) -> Choice {
        let mut pause: Option<Duration> = None;
        let mut works = false;
        let mut open = Vec::new();
        for (place, lane) in self.lanes.iter().enumerate().filter(|(place, _)| !tried.contains(place)) {
            match lane.breaker.readiness(now) {
                Readiness::Ready => {
                    works = true;
                    open.push((place, None));
                }
                Readiness::Probe(since) => open.push((place, Some(since))),
                Readiness::Paused(left) => pause = Some(pause.map_or(left, |pause| pause.min(left))),
            }
        }
        if !works {
            open.sort_by_key(|(_, since)| *since);
        }
        match open.first() {
            Some((place, _)) => self.call(*place, now),
            None => Choice::Paused(pause),
        }
    }

    fn call(&mut self, place: usize, now: DateTime<Utc>) -> Choice {
        let lane = &mut self.lanes[place];
        let wait = match lane.bucket.as_mut().map_or(Ok(Duration::ZERO), |bucket| bucket.take(now)) {
            Ok(wait) => wait,
            Err(wait) => return Choice::Busy(wait),
        };
        match lane.breaker.enter(now) {
            Some(permit) => Choice::Call { place, permit, wait },
            None => Choice::Paused(None),
        }
    }

    /// Takes note of how a call ended, and tells whether its provider is now being left alone.
    pub(super) fn ended(
        &mut self,
        place: usize,
        permit: Permit,
        failed: bool,
        took: Duration,
        now: DateTime<Utc>,
    ) -> bool {
        let breaker = &mut self.lanes[place].breaker;
        breaker.leave(permit, failed, took, now);
        breaker.is_open()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    const QUICK: Duration = Duration::from_millis(100);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn switch(providers: usize) -> Switch {
        Switch::new(BreakerSettings::default(), vec![None; providers])
    }

    fn place(choice: Choice) -> usize {
        let Choice::Call { place, .. } = choice else { panic!("{choice:?}") };
        place
    }

    fn end(switch: &mut Switch, choice: Choice, failed: bool, now: i64) {
        let Choice::Call { place, permit, .. } = choice else { panic!("{choice:?}") };
        switch.ended(place, permit, failed, QUICK, at(now));
    }

    /// Breaks the provider at `place` at a second.
    fn break_down(switch: &mut Switch, place: usize, now: i64) {
        let others: Vec<usize> = (0..switch.lanes.len()).filter(|other| *other != place).collect();
        for _ in 0..5 {
            let choice = switch.choose(&others, at(now));
            end(switch, choice, true, now);
        }
    }

    #[test]
    fn the_preferred_one_is_called_until_it_breaks_and_tried_again_after_its_pause() {
        let mut switch = switch(2);
        assert_eq!(place(switch.choose(&[], at(0))), 0);
        assert_eq!(place(switch.choose(&[0], at(0))), 1);
        break_down(&mut switch, 0, 0);
        assert_eq!(place(switch.choose(&[], at(29))), 1);
        let probe = switch.choose(&[], at(30));
        assert_eq!(place(probe), 0);
        assert_eq!(place(switch.choose(&[], at(30))), 1, "one probe at a time");
        end(&mut switch, probe, false, 31);
        assert_eq!(place(switch.choose(&[], at(31))), 0);
    }

    #[test]
    fn with_none_left_the_shortest_pause_is_told_then_the_least_recently_failed_is_tried() {
        let mut switch = switch(2);
        break_down(&mut switch, 1, 0);
        break_down(&mut switch, 0, 10);
        assert_eq!(switch.choose(&[], at(20)), Choice::Paused(Some(Duration::from_secs(10))));
        assert_eq!(place(switch.choose(&[], at(40))), 1);
        assert_eq!(place(switch.choose(&[], at(40))), 0);
        assert_eq!(switch.choose(&[0, 1], at(40)), Choice::Paused(None));
    }

    #[test]
    fn a_busy_one_is_waited_for_and_not_passed_over() {
        let mut switch = Switch::new(BreakerSettings::default(), [Rate::per_second(0.1), None]);
        assert_eq!(place(switch.choose(&[], at(0))), 0);
        assert_eq!(switch.choose(&[], at(0)), Choice::Busy(Duration::from_secs(10)));
    }

    proptest! {
        /// Whatever happens and in whatever order, no provider is called from the moment it broke until its pause
        /// ended, and never by two messages at once while it is being tried.
        #[test]
        fn a_broken_provider_is_left_alone(
            events in prop::collection::vec((0_i64..20, any::<bool>(), any::<bool>(), 0_usize..8), 1..400),
        ) {
            let pause = TimeDelta::from_std(BreakerSettings::default().pause).unwrap();
            let mut switch = switch(3);
            let mut now = at(0);
            let mut broken: [Option<DateTime<Utc>>; 3] = [None; 3];
            let mut flying: Vec<(usize, Permit)> = Vec::new();
            for (step, arrives, failed, which) in events {
                now += TimeDelta::seconds(step);
                if arrives || flying.is_empty() {
                    match switch.choose(&[], now) {
                        Choice::Call { place, permit, .. } => {
                            if let Some(since) = broken[place] {
                                prop_assert!(now >= since + pause, "called during its pause");
                                // From its trial on, a pause must pass before another trial.
                                broken[place] = Some(now);
                            }
                            flying.push((place, permit));
                        }
                        Choice::Paused(left) => {
                            prop_assert!(broken.iter().all(Option::is_some), "one works and is not called");
                            prop_assert!(left.is_some_and(|left| left <= pause.to_std().unwrap()));
                        }
                        Choice::Busy(_) => prop_assert!(false, "no rate was set"),
                    }
                } else {
                    let (place, permit) = flying.swap_remove(which % flying.len());
                    let was_open = switch.lanes[place].breaker.is_open();
                    let open = switch.ended(place, permit, failed, QUICK, now);
                    if open && (!was_open || failed && broken[place].is_some()) {
                        // Only the trial under way, or the call that broke it, begins a pause; a call from before
                        // changes nothing, which the next choice shows.
                        let paused = switch.lanes[place].breaker.readiness(now) == Readiness::Paused(pause.to_std().unwrap());
                        if paused {
                            broken[place] = Some(now);
                        }
                    }
                    if !open {
                        broken[place] = None;
                    }
                }
            }
        }
    }
}
