//! When a message leaves: so long before the appointment, never in the practice's quiet hours, never when it is of no use.
//! Pure: it knows no patient and no database.

use chrono::{DateTime, Days, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::Purpose;
use crate::{
    scheduling::first_instant,
    tenants::{QuietHours, Settings},
};

/// Closer to the appointment than this a reminder is of no use.
const USELESS: Duration = Duration::hours(2);

/// How long before quiet hours begin a message leaves that would fall into them: what waits for its turn for a moment
/// must not be caught by them after all.
const MARGIN: Duration = Duration::minutes(5);

/// A reminder that is to be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) at: DateTime<Utc>,
    /// The lead time that it serves, minutes.
    pub(super) lead_minutes: i32,
}

/// The clocks and the quiet hours of a practice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    zone: Tz,
    quiet: QuietHours,
}

impl Clocks {
    pub(super) fn of(settings: &Settings) -> Self {
        Self { zone: settings.zone(), quiet: settings.quiet_hours }
    }

    fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    /// Whether messages may leave at this moment.
    pub(super) fn allow(self, at: DateTime<Utc>) -> bool {
        !self.quiet.holds(self.local(at).time())
    }

    /// The moment itself where messages may leave, or shortly before the quiet hours that it lies in began.
    fn no_later_than(self, at: DateTime<Utc>) -> DateTime<Utc> {
        if self.allow(at) {
            return at;
        }
        let local = self.local(at);
        let begin = |day| self.quiet.from().on_day(day);
        let today = begin(local.date());
        let start = if today <= local { today } else { begin(local.date() - Days::new(1)) };
        self.first_allowed(first_instant(start, self.zone) - MARGIN, -Duration::minutes(30))
    }

    /// The moment itself where messages may leave, or the end of the quiet hours that it lies in.
    pub(super) fn no_earlier_than(self, at: DateTime<Utc>) -> DateTime<Utc> {
        if self.allow(at) {
            return at;
        }
        let local = self.local(at);
        let end = |day| self.quiet.to().on_day(day);
        let today = end(local.date());
        let ends = if today > local { today } else { end(local.date() + Days::new(1)) };
        self.first_allowed(first_instant(ends, self.zone).max(at), Duration::minutes(30))
    }

    /// Where a change of the clocks has moved the edge of the quiet hours, on from it.
    fn first_allowed(self, mut at: DateTime<Utc>, step: Duration) -> DateTime<Utc> {
        // At least four hours of a day are not quiet, so this ends within one.
        while !self.allow(at) {
            at += step;
        }
        at
    }
}

/// The latest moment at which a message still tells something; later it does not leave.
pub(super) fn useful_until(purpose: Purpose, starts_at: DateTime<Utc>) -> DateTime<Utc> {
    match purpose {
        Purpose::Reminder => starts_at - USELESS,
        Purpose::Confirmation | Purpose::Cancellation => starts_at,
    }
}

/// When something leaves that is to be told now; `None` when it could not in useful time.
pub(super) fn soon(
    purpose: Purpose,
    starts_at: DateTime<Utc>,
    now: DateTime<Utc>,
    clocks: Clocks,
) -> Option<DateTime<Utc>> {
    Some(clocks.no_earlier_than(now)).filter(|at| *at <= useful_until(purpose, starts_at))
}

/// How long a practice's quiet hours hold what would leave now; `None` where it may.
pub(crate) fn quiet(settings: &Settings, now: DateTime<Utc>) -> Option<Duration> {
    let wait = Clocks::of(settings).no_earlier_than(now) - now;
    (wait > Duration::zero()).then_some(wait)
}

/// The reminders of an appointment that is booked or moved now, the earliest first. Lead times that have passed are left
/// out; if all have, one reminder leaves as soon as it may. Of those that quiet hours bring together one is left.
pub(super) fn reminders(settings: &Settings, starts_at: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Due> {
    let clocks = Clocks::of(settings);
    let mut leads: Vec<i32> =
        settings.lead_times.durations().filter_map(|lead| i32::try_from(lead.num_minutes()).ok()).collect();
    leads.sort_unstable();
    // The shortest lead first, so that it is the one that stays of two at the same moment.
    let mut coming: Vec<Due> = Vec::new();
    for &lead_minutes in &leads {
        let at = clocks.no_later_than(starts_at - Duration::minutes(lead_minutes.into()));
        if at > now && coming.iter().all(|other| other.at != at) {
            coming.push(Due { at, lead_minutes });
        }
    }
    if coming.is_empty() {
        let at_once = soon(Purpose::Reminder, starts_at, now, clocks);
        coming.extend(at_once.zip(leads.first()).map(|(at, &lead_minutes)| Due { at, lead_minutes }));
    }
    coming.sort_unstable();
    coming
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    const PARIS: Tz = Tz::Europe__Paris;
    const ZONES: [Tz; 5] =
        [PARIS, Tz::Indian__Reunion, Tz::America__Martinique, Tz::America__Cayenne, Tz::Pacific__Noumea];

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn settings(zone: Tz, leads: &[u32], quiet: (&str, &str)) -> Settings {
        let mut document = serde_json::to_value(Settings::of(zone)).unwrap();
        document["lead_times"] = serde_json::json!(leads);
        document["quiet_hours"] = serde_json::json!({ "from": quiet.0, "to": quiet.1 });
        serde_json::from_value(document).unwrap()
    }

    fn due(zone: Tz, leads: &[u32], starts_at: &str, now: &str) -> Vec<(String, i32)> {
        reminders(&settings(zone, leads, ("20:00", "08:00")), at(starts_at), at(now))
            .into_iter()
            .map(|due| (due.at.with_timezone(&zone).format("%m-%d %H:%M").to_string(), due.lead_minutes))
            .collect()
    }

    fn one(text: &str, lead: i32) -> Vec<(String, i32)> {
        vec![(text.to_owned(), lead)]
    }

    #[test]
    fn a_day_before_or_at_once_or_never() {
        let now = "2027-03-01T09:00:00Z";
        assert_eq!(due(PARIS, &[1440], "2027-03-10T09:00:00Z", now), one("03-09 10:00", 1440));
        assert_eq!(
            due(PARIS, &[1440], "2027-03-01T18:00:00Z", now),
            one("03-01 10:00", 1440),
            "inside the lead time"
        );
        assert_eq!(due(PARIS, &[1440], "2027-03-01T11:00:00Z", now), one("03-01 10:00", 1440));
        assert_eq!(due(PARIS, &[1440], "2027-03-01T10:59:59Z", now), [], "too near to be of use");
        assert_eq!(due(PARIS, &[1440], "2027-02-01T08:00:00Z", now), [], "past");
    }

    #[test]
    fn what_falls_into_quiet_hours_leaves_before_them() {
        let now = "2027-03-01T09:00:00Z";
        assert_eq!(
            due(PARIS, &[1440], "2027-03-10T06:30:00Z", now),
            one("03-08 19:55", 1440),
            "07:30 is quiet"
        );
        assert_eq!(
            due(PARIS, &[1440], "2027-03-10T19:00:00Z", now),
            one("03-09 19:55", 1440),
            "20:00 is quiet"
        );
        assert_eq!(due(PARIS, &[1440], "2027-03-10T18:59:00Z", now), one("03-09 19:59", 1440));
        assert_eq!(
            due(PARIS, &[1440], "2027-03-10T07:00:00Z", now),
            one("03-09 08:00", 1440),
            "08:00 is not"
        );
    }

    #[test]
    fn what_is_booked_in_quiet_hours_waits_for_the_morning_if_that_is_of_use() {
        let night = "2027-03-01T22:00:00Z";
        assert_eq!(due(PARIS, &[1440], "2027-03-02T09:00:00Z", night), one("03-02 08:00", 1440));
        assert_eq!(due(PARIS, &[1440], "2027-03-02T08:30:00Z", night), [], "09:30: the morning is too late");
    }

    #[test]
    fn of_several_lead_times_those_that_have_passed_are_left_out() {
        let leads = [1440, 10_080];
        let all = due(PARIS, &leads, "2027-03-20T10:00:00Z", "2027-03-01T09:00:00Z");
        assert_eq!(all, [("03-13 11:00".to_owned(), 10_080), ("03-19 11:00".to_owned(), 1440)]);
        assert_eq!(
            due(PARIS, &leads, "2027-03-04T10:00:00Z", "2027-03-01T09:00:00Z"),
            one("03-03 11:00", 1440)
        );
        assert_eq!(
            due(PARIS, &leads, "2027-03-01T18:00:00Z", "2027-03-01T09:00:00Z"),
            one("03-01 10:00", 1440)
        );
        let together = due(PARIS, &[1440, 1500], "2027-03-10T06:00:00Z", "2027-03-01T09:00:00Z");
        assert_eq!(together, one("03-08 19:55", 1440), "quiet hours bring both together");
    }

    #[test]
    fn the_changes_of_the_clocks_move_no_one_into_the_night() {
        // 24 hours of elapsed time before 08:30 on the day the clocks went forward is 07:30 of the day before.
        assert_eq!(
            due(PARIS, &[1440], "2027-03-28T06:30:00Z", "2027-03-01T09:00:00Z"),
            one("03-26 19:55", 1440)
        );
        // And before 19:30 on the day they went back it is 20:30.
        assert_eq!(
            due(PARIS, &[1440], "2027-10-31T18:30:00Z", "2027-10-01T09:00:00Z"),
            one("10-30 19:55", 1440)
        );
        // Quiet hours that begin in an hour that does not exist.
        let odd = settings(PARIS, &[1440], ("02:30", "04:00"));
        let [due] = reminders(&odd, at("2027-03-29T01:40:00Z"), at("2027-03-01T09:00:00Z"))[..] else {
            panic!()
        };
        assert_eq!(
            due.at,
            at("2027-03-28T00:55:00Z"),
            "03:40 summer time is quiet; 01:55 was the last that was not"
        );
    }

    /// The rule told another way: minute by minute.
    fn stepped(settings: &Settings, from: DateTime<Utc>, step: Duration) -> DateTime<Utc> {
        let mut at = from;
        while settings.quiet_hours.holds(at.with_timezone(&settings.zone()).time()) {
            at += step;
        }
        at
    }

    fn moments() -> impl Strategy<Value = DateTime<Utc>> {
        // Two years by the minute: every change of the clocks of two years lies in it.
        (0..2 * 366 * 1440_i64)
            .prop_map(|minute| Utc.with_ymd_and_hms(2027, 1, 1, 0, 0, 0).unwrap() + Duration::minutes(minute))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn nothing_leaves_in_quiet_hours_nor_late_and_nothing_moves_without_need(
            zone in prop::sample::select(ZONES.to_vec()), starts_at in moments(), ahead in 0..20 * 1440_i64,
            leads in prop::collection::btree_set(120..14 * 1440_u32, 1..4), from in 0..48_u32, length in 1..40_u32,
        ) {
            let clock = |half_hours: u32| format!("{:02}:{:02}", half_hours / 2 % 24, half_hours % 2 * 30);
            let leads: Vec<u32> = leads.into_iter().collect();
            let settings = settings(zone, &leads, (&clock(from), &clock(from + length)));
            let now = starts_at - Duration::minutes(ahead);
            let due = reminders(&settings, starts_at, now);
            prop_assert!(due.len() <= leads.len());
            for Due { at, lead_minutes } in &due {
                prop_assert!(Clocks::of(&settings).allow(*at));
                prop_assert!(*at >= now && *at <= starts_at - USELESS);
                let ideal = starts_at - Duration::minutes((*lead_minutes).into());
                if *at < ideal && *at > now {
                    let last = stepped(&settings, ideal, -Duration::minutes(1));
                    prop_assert!(*at == ideal || (last - *at).num_minutes() <= 35 + 30, "{at} for {ideal}, {last}");
                }
            }
            let morning = stepped(&settings, now, Duration::minutes(1));
            if due.is_empty() {
                prop_assert!(morning > starts_at - USELESS, "it could have left at {morning}");
            }
        }
    }
}
