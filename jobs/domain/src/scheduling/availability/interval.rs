//! Stretches of time and what is done with many of them.

use chrono::{DateTime, Duration, Utc};

/// From an instant to a later one, itself not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::scheduling) struct Interval {
    pub(in crate::scheduling) from: DateTime<Utc>,
    pub(in crate::scheduling) to: DateTime<Utc>,
}

impl Interval {
    pub(in crate::scheduling) fn new(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        Self { from, to }
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }

    pub(super) fn holds(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// What two have in common.
    pub(super) fn common(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from < both.to).then_some(both)
    }

    /// The same with a margin on both sides.
    pub(super) fn widened(self, by: Duration) -> Self {
        Self { from: self.from - by, to: self.to + by }
    }
}

/// The same instants in order, apart from each other: what overlaps or touches becomes one.
pub(super) fn united(mut parts: Vec<Interval>) -> Vec<Interval> {
    parts.retain(|part| part.from < part.to);
    parts.sort_unstable();
    let mut whole: Vec<Interval> = Vec::with_capacity(parts.len());
    for part in parts {
        match whole.last_mut() {
            Some(last) if part.from <= last.to => last.to = last.to.max(part.to),
            _ => whole.push(part),
        }
    }
    whole
}

/// What is left of an interval without the others, which are [`united`].
pub(super) fn without(whole: Interval, others: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::new();
    let mut from = whole.from;
    for other in others.iter().filter(|other| other.meets(whole)) {
        if from < other.from {
            left.push(Interval { from, to: other.from });
        }
        from = other.to;
    }
    if from < whole.to {
        left.push(Interval { from, to: whole.to });
    }
    left
}

/// Whether any of the parts, which are [`united`], meets the interval.
pub(super) fn any_meets(parts: &[Interval], interval: Interval) -> bool {
    let next = parts.partition_point(|part| part.to <= interval.from);
    parts.get(next).is_some_and(|part| part.meets(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::minutes(minute)
    }

    fn of(pairs: &[(i64, i64)]) -> Vec<Interval> {
        pairs.iter().map(|(from, to)| Interval::new(at(*from), at(*to))).collect()
    }

    #[test]
    fn what_touches_is_one_and_what_is_empty_none() {
        assert_eq!(
            united(of(&[(5, 9), (0, 3), (3, 5), (20, 20), (12, 15), (13, 14)])),
            of(&[(0, 9), (12, 15)])
        );
    }

    #[test]
    fn what_is_taken_away_leaves_the_rest() {
        let [day] = of(&[(10, 20)])[..] else { panic!("one") };
        assert_eq!(without(day, &of(&[(0, 10), (12, 14), (18, 30)])), of(&[(10, 12), (14, 18)]));
        assert_eq!(without(day, &of(&[(0, 30)])), []);
        assert_eq!(without(day, &[]), [day]);
        let taken = of(&[(0, 10), (12, 14)]);
        let meets = |from, to| any_meets(&taken, Interval::new(at(from), at(to)));
        assert!(meets(9, 11) && meets(13, 20) && meets(0, 40) && !meets(10, 12) && !meets(14, 20));
    }
}
