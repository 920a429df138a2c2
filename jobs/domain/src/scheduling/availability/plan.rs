//! From what is said to when it is: open times and slots. Pure, so that its laws can be tested: no database, no clock.
//!
//! Hours are those that the practice's clocks show. On a day whose clocks change, an instant is open when they show a
//! time within the hours: a time that they skip is never there, one that they show twice is there twice. Slots last
//! elapsed minutes.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::{
    Exception, ExceptionKind, Interval, Rule, Slot,
    interval::{any_meets, united, without},
};
use crate::{hours::TimeOfDay, ids::RoomId, scheduling::day_bounds, tenants::OpeningHours};

/// All that is said of when a practitioner sees patients.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) zone: Tz,
    pub(super) opening: &'a OpeningHours,
    pub(super) rules: &'a [Rule],
    pub(super) exceptions: &'a [Exception],
}

/// How slots are laid, and which of them may still be booked.
#[derive(Debug)]
pub(super) struct Options {
    /// How long a slot is, unless its rule says so or one length is asked for.
    pub(super) slot: Duration,
    /// The one length that is asked for.
    pub(super) length: Option<Duration>,
    /// What must lie between two appointments.
    pub(super) buffer: Duration,
    /// How long before its begin a slot must be booked.
    pub(super) minimum_notice: Duration,
    /// How far ahead a slot may be booked.
    pub(super) maximum_notice: Duration,
}

/// An open time with what its rule says of slots.
#[derive(Debug)]
struct Source {
    interval: Interval,
    slot: Option<Duration>,
    room: Option<RoomId>,
}

/// The instants of a day at which the clocks show a time of these hours, in order.
fn on_clocks(day: NaiveDate, from: TimeOfDay, to: TimeOfDay, zone: Tz) -> Vec<Interval> {
    let (begin, end) = day_bounds(day, zone);
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
    let change = (offset(begin) != offset(end)).then(|| {
        // The first second with the new offset, by halving.
        let (mut before, mut after) = (begin, end);
        while after - before > Duration::seconds(1) {
            let middle = before + Duration::seconds((after - before).num_seconds() / 2);
            if offset(middle) == offset(begin) { before = middle } else { after = middle }
        }
        after
    });
    let parts = match change {
        Some(change) => vec![Interval::new(begin, change), Interval::new(change, end)],
        None => vec![Interval::new(begin, end)],
    };
    let shown = |part: &Interval| {
        let midnight = day.and_time(NaiveTime::MIN).and_utc() - Duration::seconds(offset(part.from).into());
        let minutes = |time: TimeOfDay| Duration::minutes(time.minutes().into());
        part.common(Interval::new(midnight + minutes(from), midnight + minutes(to)))
    };
    united(parts.iter().filter_map(shown).collect())
}

impl Plan<'_> {
    /// When the practice is open on a day.
    fn opening_on(&self, day: NaiveDate) -> Vec<Interval> {
        if self.opening.always() {
            let (from, to) = day_bounds(day, self.zone);
            return vec![Interval::new(from, to)];
        }
        let spans = self.opening.on(day.weekday());
        united(spans.iter().flat_map(|span| on_clocks(day, span.from, span.to, self.zone)).collect())
    }

    /// The open times of a day: the rules' within the opening hours, or these where there is no rule.
    fn sources_on(&self, day: NaiveDate) -> Vec<Source> {
        let opening = self.opening_on(day);
        if self.rules.is_empty() {
            return opening.into_iter().map(|interval| Source { interval, slot: None, room: None }).collect();
        }
        let rules = self.rules.iter().filter(|rule| rule.falls_on(day));
        rules
            .flat_map(|rule| {
                let slot = rule.slot_minutes.map(|minutes| Duration::minutes(minutes.get().into()));
                let hours = on_clocks(day, rule.from, rule.to, self.zone);
                let common = hours.into_iter().flat_map(|hours| {
                    opening.iter().filter_map(move |open| open.common(hours)).collect::<Vec<_>>()
                });
                common.map(move |interval| Source { interval, slot, room: rule.room_id }).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The open times of these days and of the exceptions, without what is closed; in order.
    fn sources(&self, days: RangeInclusive<NaiveDate>) -> Vec<Source> {
        let of = |kind| self.exceptions.iter().filter(move |exception| exception.kind == kind);
        let closed = united(of(ExceptionKind::Closed).map(Exception::interval).collect());
        let weekly = days.start().iter_days().take_while(|day| day <= days.end());
        let opened = of(ExceptionKind::Open).map(Exception::interval);
        let mut sources: Vec<_> = weekly
            .flat_map(|day| self.sources_on(day))
            .chain(opened.map(|interval| Source { interval, slot: None, room: None }))
            .flat_map(|source| {
                let left = without(source.interval, &closed);
                left.into_iter().map(move |interval| Source { interval, ..source })
            })
            .collect();
        sources.sort_by_key(|source| source.interval);
        sources
    }

    /// Whether the whole of an interval is open.
    pub(super) fn is_open(&self, wanted: Interval) -> bool {
        let day = |at: DateTime<Utc>| at.with_timezone(&self.zone).date_naive();
        let sources = self.sources(day(wanted.from)..=day(wanted.to));
        let open = united(sources.into_iter().map(|source| source.interval).collect());
        open.iter().any(|open| open.holds(wanted))
    }
}

/// The slots that begin on these days: laid one after another from the begin of each open time, with the buffer between
/// two, and none over another. One is available when no booking comes nearer than the buffer and the notice is kept.
pub(super) fn slots(
    plan: &Plan<'_>,
    bookings: &[Interval],
    days: RangeInclusive<NaiveDate>,
    now: DateTime<Utc>,
    options: &Options,
) -> Vec<Slot> {
    let (begin, end) = (day_bounds(*days.start(), plan.zone).0, day_bounds(*days.end(), plan.zone).1);
    let taken = united(bookings.iter().map(|booking| booking.widened(options.buffer)).collect());
    let bookable = now + options.minimum_notice..=now + options.maximum_notice;
    // From the day before: what begins there and goes past midnight lies in the way of the first day's.
    let before = days.start().pred_opt().unwrap_or(*days.start());
    let mut slots = Vec::new();
    let mut free_from = DateTime::<Utc>::MIN_UTC;
    for source in plan.sources(before..=*days.end()) {
        let length = options.length.or(source.slot).unwrap_or(options.slot);
        let mut from = source.interval.from.max(free_from);
        while from + length <= source.interval.to {
            let slot = Interval::new(from, from + length);
            if begin <= from && from < end {
                let available = bookable.contains(&from) && !any_meets(&taken, slot);
                let (start_time, end_time) = (slot.from, slot.to);
                slots.push(Slot { start_time, end_time, available, room_id: source.room });
            }
            free_from = slot.to;
            from = slot.to + options.buffer;
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::super::laws::{time, weekly};
    use super::*;
    use crate::{
        field::{Day, Whole},
        hours::Span,
    };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn options(slot: i64, buffer: i64) -> Options {
        Options {
            slot: Duration::minutes(slot),
            length: None,
            buffer: Duration::minutes(buffer),
            minimum_notice: Duration::zero(),
            maximum_notice: Duration::days(365),
        }
    }

    /// Begins of the slots of one day in Paris, as an offset's clock shows them.
    fn begins(rules: &[Rule], exceptions: &[Exception], on: &str, options: &Options) -> Vec<String> {
        let opening = OpeningHours::default();
        let plan = Plan { zone: Tz::Europe__Paris, opening: &opening, rules, exceptions };
        let found = slots(&plan, &[], day(on)..=day(on), at("2027-01-01T00:00:00Z"), options);
        assert!(found.iter().all(|slot| slot.available));
        found.iter().map(|s| s.start_time.with_timezone(&plan.zone).format("%H:%M%:z").to_string()).collect()
    }

    #[test]
    fn a_day_that_is_open_always_has_its_23_24_or_25_hours() {
        for (zone, hours) in [
            (Tz::Europe__Paris, [23, 24, 25]),
            (Tz::Indian__Reunion, [24; 3]),
            (Tz::America__Martinique, [24; 3]),
            (Tz::America__Cayenne, [24; 3]),
            (Tz::Pacific__Noumea, [24; 3]),
        ] {
            let opening = OpeningHours::default();
            let plan = Plan { zone, opening: &opening, rules: &[], exceptions: &[] };
            let days = ["2027-03-28", "2027-06-06", "2027-10-31"].map(day);
            let count = |on| slots(&plan, &[], on..=on, at("2027-01-01T00:00:00Z"), &options(60, 0)).len();
            assert_eq!(days.map(count), hours, "{zone}");
        }
    }

    #[test]
    fn skipped_times_are_never_there_and_doubled_ones_twice() {
        let early = [weekly(7, 60, 240)];
        let hour = options(60, 0);
        assert_eq!(begins(&early, &[], "2027-03-28", &hour), ["01:00+01:00", "03:00+02:00"]);
        assert_eq!(
            begins(&early, &[], "2027-10-31", &hour),
            ["01:00+02:00", "02:00+02:00", "02:00+01:00", "03:00+01:00"]
        );
        let within = [weekly(7, 135, 165)];
        assert_eq!(begins(&within, &[], "2027-03-28", &options(30, 0)), [""; 0]);
        assert_eq!(begins(&within, &[], "2027-10-31", &options(30, 0)), ["02:15+02:00", "02:15+01:00"]);
    }

    #[test]
    fn slots_are_laid_with_the_buffer_and_anew_after_what_is_closed() {
        let morning = [weekly(1, 540, 720)];
        assert_eq!(
            begins(&morning, &[], "2027-01-11", &options(30, 10)),
            ["09:00+01:00", "09:40+01:00", "10:20+01:00", "11:00+01:00"]
        );
        let exception = |kind, from: &str, to: &str| Exception {
            kind,
            starts_at: at(&format!("2027-01-11T{from}:00Z")),
            ends_at: at(&format!("2027-01-11T{to}:00Z")),
            reason: None,
        };
        let exceptions = [
            exception(ExceptionKind::Closed, "08:20", "09:45"),
            exception(ExceptionKind::Open, "09:00", "11:30"),
        ];
        assert_eq!(
            begins(&morning, &exceptions, "2027-01-11", &options(30, 0)),
            ["10:45+01:00", "11:15+01:00", "11:45+01:00"],
            "what is closed stays closed, what is open twice is laid once"
        );
    }

    #[test]
    fn rules_hold_in_their_weeks_and_within_the_opening_hours() {
        let every_other = Rule {
            every_weeks: Whole::try_from(2).unwrap(),
            valid_from: Some(Day(day("2026-12-16"))),
            valid_until: Some(Day(day("2027-01-11"))),
            ..weekly(1, 480, 600)
        };
        let mondays = ["2026-12-14", "2026-12-21", "2026-12-28", "2027-01-04", "2027-01-11", "2027-01-25"];
        let holds = mondays.map(|monday| every_other.falls_on(day(monday)));
        assert_eq!(holds, [false, false, true, false, true, false], "over the end of a year of 53 weeks");
        let opening = OpeningHours {
            monday: vec![Span { from: time(540), to: time(570) }, Span { from: time(570), to: time(660) }],
            ..OpeningHours::default()
        };
        let rules = [weekly(1, 480, 600), weekly(2, 480, 600)];
        let plan = Plan { zone: Tz::Europe__Paris, opening: &opening, rules: &rules, exceptions: &[] };
        let open = |from: &str, to: &str| plan.is_open(Interval::new(at(from), at(to)));
        assert!(open("2027-01-11T08:00:00Z", "2027-01-11T09:00:00Z"), "over the seam of two hours");
        assert!(!open("2027-01-11T07:30:00Z", "2027-01-11T08:30:00Z"), "not open yet");
        assert!(!open("2027-01-11T08:30:00Z", "2027-01-11T09:30:00Z"), "the rule ends");
        assert!(!open("2027-01-12T08:00:00Z", "2027-01-12T08:30:00Z"), "closed on Tuesdays");
    }

    #[test]
    fn a_night_is_open_over_midnight_and_a_slot_without_enough_of_it_is_none() {
        let rules = [weekly(5, 1320, 1440), weekly(6, 0, 90)];
        let opening = OpeningHours::default();
        let plan = Plan { zone: Tz::Europe__Paris, opening: &opening, rules: &rules, exceptions: &[] };
        let night = Interval::new(at("2027-01-15T22:30:00Z"), at("2027-01-15T23:30:00Z"));
        assert!(plan.is_open(night));
        assert_eq!(begins(&rules, &[], "2027-01-16", &options(60, 0)), ["00:00+01:00"]);
    }
}
