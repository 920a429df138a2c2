//! Civil times and their zones, right across the changes of the clocks.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc, offset::LocalResult};
use chrono_tz::Tz;

use crate::{
    db::TenantTx,
    error::{Error, Problem, Result},
    field::Moment,
};

/// The practice's zone.
pub(crate) async fn practice_zone(tx: &mut TenantTx) -> Result<Tz> {
    let name = sqlx::query_scalar!("SELECT time_zone FROM tenants WHERE id = $1", tx.tenant().0)
        .fetch_one(tx.conn())
        .await?;
    name.parse().map_err(|_| Error::internal("the practice's zone is unknown"))
}

/// The day it is where the practice is.
pub(crate) async fn today(tx: &mut TenantTx) -> Result<NaiveDate> {
    let zone = practice_zone(tx).await?;
    Ok(tx.now().with_timezone(&zone).date_naive())
}

/// The instant that a moment means in the practice's zone. A civil time that the change of the clocks skips or gives
/// twice is refused: only a person can say which hour was meant, by writing the offset.
pub fn resolve(moment: Moment, zone: Tz, field: &str) -> Result<DateTime<Utc>, Problem> {
    match moment {
        Moment::Exact(at) => Ok(at),
        Moment::Civil(civil) => match zone.from_local_datetime(&civil) {
            LocalResult::Single(at) => Ok(at.with_timezone(&Utc)),
            LocalResult::None => Err(Problem::new(
                field,
                "skipped_time",
                format!("a time that exists in {zone}: the clocks are put forward over this one"),
            )
            .read(civil.format("%Y-%m-%dT%H:%M"))),
            LocalResult::Ambiguous(first, second) => Err(Problem::new(
                field,
                "ambiguous_time",
                format!(
                    "an offset: the clocks are put back, so it is {} or {}",
                    first.to_rfc3339(),
                    second.to_rfc3339()
                ),
            )
            .read(civil.format("%Y-%m-%dT%H:%M"))),
        },
    }
}

/// The first instant of a civil time, or of what follows it where the clocks skip it.
pub(crate) fn first_instant(civil: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&civil) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        // Skipped: by the offset in force before the change this is the instant of the change or just after it.
        LocalResult::None => {
            let before = zone.offset_from_utc_datetime(&(civil - chrono::Duration::days(1)));
            (civil - chrono::Offset::fix(&before)).and_utc()
        }
    }
}

/// The instants between which a calendar day lies in a zone: 23, 24 or 25 hours apart.
pub fn day_bounds(day: NaiveDate, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    let start = |day: NaiveDate| first_instant(day.and_time(NaiveTime::MIN), zone);
    (start(day), start(day.checked_add_days(Days::new(1)).unwrap_or(day)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn civil(text: &str) -> Moment {
        Moment::parse(text).unwrap()
    }

    #[test]
    fn a_civil_time_is_the_zones() {
        let at = resolve(civil("2027-07-01T10:00"), Tz::Europe__Paris, "starts_at").unwrap();
        assert_eq!(at.to_rfc3339(), "2027-07-01T08:00:00+00:00");
        let at = resolve(civil("2027-07-01T10:00"), Tz::Indian__Reunion, "starts_at").unwrap();
        assert_eq!(at.to_rfc3339(), "2027-07-01T06:00:00+00:00");
    }

    #[test]
    fn skipped_and_doubled_times_are_refused_with_the_way_out() {
        let skipped = resolve(civil("2027-03-28T02:30"), Tz::Europe__Paris, "starts_at").unwrap_err();
        assert_eq!((skipped.field.as_str(), skipped.code), ("starts_at", "skipped_time"));
        let doubled = resolve(civil("2027-10-31T02:30"), Tz::Europe__Paris, "starts_at").unwrap_err();
        assert_eq!(doubled.code, "ambiguous_time");
        assert!(
            doubled.expected.contains("2027-10-31T02:30:00+02:00 or 2027-10-31T02:30:00+01:00"),
            "{doubled:?}"
        );
        let exact = resolve(civil("2027-10-31T02:30:00+01:00"), Tz::Europe__Paris, "starts_at").unwrap();
        assert_eq!(exact.to_rfc3339(), "2027-10-31T01:30:00+00:00");
    }

    #[test]
    fn a_day_has_23_24_or_25_hours() {
        let hours = |day: &str, zone| {
            let (start, end) = day_bounds(day.parse().unwrap(), zone);
            (end - start).num_hours()
        };
        assert_eq!(hours("2027-03-28", Tz::Europe__Paris), 23);
        assert_eq!(hours("2027-10-31", Tz::Europe__Paris), 25);
        assert_eq!(hours("2027-03-28", Tz::Indian__Reunion), 24);
        // Chile and Lebanon change at midnight: the day begins at 01:00.
        let (start, _) = day_bounds("2027-09-05".parse().unwrap(), Tz::America__Santiago);
        assert_eq!(start.with_timezone(&Tz::America__Santiago).to_rfc3339(), "2027-09-05T01:00:00-03:00");
    }
}
