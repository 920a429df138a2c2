//! What holds for whatever is said of a practitioner: found by trying, in five zones, on the days of the changes too.

use chrono::{DateTime, Datelike, Duration, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;
use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    sample::select,
    strategy::Just,
};

use super::{
    Exception, ExceptionKind, Interval, Rule,
    plan::{Options, Plan, slots},
};
use crate::{
    field::{Day, Whole},
    hours::{Span, TimeOfDay},
    tenants::OpeningHours,
};

/// France has five of its many; the clocks change in the first alone.
const ZONES: [Tz; 5] = [
    Tz::Europe__Paris,
    Tz::Indian__Reunion,
    Tz::America__Martinique,
    Tz::America__Cayenne,
    Tz::Pacific__Noumea,
];

pub(super) fn time(minutes: u32) -> TimeOfDay {
    TimeOfDay::parse(&format!("{:02}:{:02}", minutes / 60, minutes % 60)).unwrap()
}

fn whole<const D: u32, const MIN: u32, const MAX: u32>(number: u32) -> Whole<D, MIN, MAX> {
    Whole::try_from(i64::from(number)).unwrap()
}

/// A rule of every week.
pub(super) fn weekly(weekday: u32, from: u32, to: u32) -> Rule {
    Rule {
        weekday: whole(weekday),
        from: time(from),
        to: time(to),
        valid_from: None,
        valid_until: None,
        every_weeks: whole(1),
        room_id: None,
        slot_minutes: None,
    }
}

/// A begin and a later end, in minutes of a day.
fn span() -> impl Strategy<Value = (u32, u32)> {
    (0..1440_u32, 1..=720_u32).prop_map(|(from, length)| (from, (from + length).min(1440)))
}

fn opening() -> impl Strategy<Value = OpeningHours> {
    prop_oneof![
        Just(OpeningHours::default()),
        span().prop_map(|(from, to)| {
            let day = vec![Span { from: time(from), to: time(to) }];
            OpeningHours {
                monday: day.clone(),
                saturday: day.clone(),
                sunday: day,
                ..OpeningHours::default()
            }
        }),
    ]
}

fn rules(first: NaiveDate) -> impl Strategy<Value = Vec<Rule>> {
    let rule =
        (select(vec![1, 6, 7_u32]), span(), 1..=2_u32).prop_map(move |(weekday, (from, to), weeks)| {
            let valid_from = (weeks > 1).then_some(Day(first - Duration::days(10)));
            Rule { every_weeks: whole(weeks), valid_from, ..weekly(weekday, from, to) }
        });
    vec(rule, 0..5)
}

/// Begins and lengths within three days, minutes.
fn stretches(most: usize) -> impl Strategy<Value = Vec<(i64, i64, bool)>> {
    vec((0..4320_i64, 1..600_i64, any::<bool>()), 0..most)
}

fn excepted(begin: DateTime<Utc>, stretches: Vec<(i64, i64, bool)>) -> Vec<Exception> {
    let at = |minute| begin + Duration::minutes(minute);
    let exception = |(from, length, open)| Exception {
        kind: if open { ExceptionKind::Open } else { ExceptionKind::Closed },
        starts_at: at(from),
        ends_at: at(from + length),
        reason: None,
    };
    stretches.into_iter().map(exception).collect()
}

/// Before the day begins in any of the zones, so that stretches lie on both sides of it.
fn begin_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(0, 0, 0).unwrap().and_utc() - Duration::hours(12)
}

/// A Saturday: the two changes of Paris' clocks, and one without.
fn saturday() -> impl Strategy<Value = NaiveDate> {
    select(vec!["2027-03-27", "2027-10-30", "2027-06-05"]).prop_map(|day| day.parse().unwrap())
}

/// Whether the clocks show an open time, asked without any of the code that is tested but a rule's days.
fn shows_open(plan: &Plan<'_>, at: DateTime<Utc>) -> bool {
    let clock = at.with_timezone(&plan.zone);
    let minute = i64::from(clock.hour() * 60 + clock.minute());
    let within = |from: TimeOfDay, to: TimeOfDay| {
        (i64::from(from.minutes())..i64::from(to.minutes())).contains(&minute)
    };
    let day = clock.date_naive();
    let opening =
        plan.opening.always() || plan.opening.on(day.weekday()).iter().any(|span| within(span.from, span.to));
    let rule = plan.rules.is_empty()
        || plan.rules.iter().any(|rule| rule.falls_on(day) && within(rule.from, rule.to));
    let excepted =
        |kind| plan.exceptions.iter().any(|e| e.kind == kind && e.starts_at <= at && at < e.ends_at);
    (opening && rule || excepted(ExceptionKind::Open)) && !excepted(ExceptionKind::Closed)
}

proptest! {
    #[test]
    fn slots_are_open_apart_and_of_their_length(
        zone in select(&ZONES[..]),
        (saturday, rules) in saturday().prop_flat_map(|day| (Just(day), rules(day))),
        opening in opening(),
        exceptions in stretches(4),
        bookings in stretches(6),
        (length, buffer, notice) in (5..=180_i64, 0..=45_i64, 0..=4000_i64),
    ) {
        let begin = begin_of(saturday);
        let at = |minute: i64| begin + Duration::minutes(minute);
        let bookings: Vec<_> =
            bookings.into_iter().map(|(from, length, _)| Interval::new(at(from), at(from + length))).collect();
        let exceptions = excepted(begin, exceptions);
        let plan = Plan { zone, opening: &opening, rules: &rules, exceptions: &exceptions };
        let (length, buffer) = (Duration::minutes(length), Duration::minutes(buffer));
        let options = Options {
            slot: length, length: None, buffer,
            minimum_notice: Duration::minutes(notice), maximum_notice: Duration::days(365),
        };
        let found = slots(&plan, &bookings, saturday..=saturday + Duration::days(2), begin, &options);
        for slot in &found {
            prop_assert_eq!(slot.end_time - slot.start_time, length);
            let day = slot.start_time.with_timezone(&zone).date_naive();
            prop_assert!((0..=2).contains(&(day - saturday).num_days()));
            let minutes = 0..length.num_minutes();
            prop_assert!(minutes.into_iter().all(|minute| shows_open(&plan, slot.start_time + Duration::minutes(minute))));
            let interval = Interval::new(slot.start_time, slot.end_time);
            prop_assert!(plan.is_open(interval), "what is offered can be booked");
            let near = bookings.iter().any(|b| b.from < interval.to + buffer && interval.from - buffer < b.to);
            let noticed = slot.start_time >= begin + Duration::minutes(notice);
            prop_assert_eq!(slot.available, !near && noticed);
        }
        prop_assert!(found.windows(2).all(|two| two[0].end_time <= two[1].start_time));
    }

    #[test]
    fn an_interval_is_open_when_each_of_its_minutes_is(
        zone in select(&ZONES[..]),
        (saturday, rules) in saturday().prop_flat_map(|day| (Just(day), rules(day))),
        opening in opening(),
        exceptions in stretches(4),
        wanted in vec((0..4320_i64, 5..=90_i64), 40),
    ) {
        let begin = begin_of(saturday);
        let at = |minute: i64| begin + Duration::minutes(minute);
        let exceptions = excepted(begin, exceptions);
        let plan = Plan { zone, opening: &opening, rules: &rules, exceptions: &exceptions };
        for (from, length) in wanted {
            let all = (from..from + length).all(|minute| shows_open(&plan, at(minute)));
            prop_assert_eq!(plan.is_open(Interval::new(at(from), at(from + length))), all);
        }
    }
}
