//! Jobs by the calendar: due times come from the entry's pattern in its own zone, the last one from Postgres. Any
//! number of schedulers may tick; each due time is enqueued once.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use croner::{Cron, errors::CronError};
use sqlx::PgConnection;

use crate::{Error, NewJob, clock::Clock, enqueue};

/// How late a tick may be for a due time not to count as missed: schedulers tick every minute.
const PUNCTUAL: Duration = Duration::seconds(90);

/// What becomes of due times that passed while no scheduler ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// The last of them runs, once, when a scheduler is back.
    RunOnce,
    /// None of them runs.
    Skip,
}

/// A job that comes back by the calendar.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Stable name: the last due time is kept under it.
    pub name: &'static str,
    /// Cron pattern in civil time, such as `17 3 * * *`.
    pub schedule: &'static str,
    /// The zone of the civil time.
    pub zone: Tz,
    /// What becomes of missed due times.
    pub missed: Missed,
    /// Makes the job of a due time.
    pub job: fn(due: DateTime<Utc>) -> Result<NewJob, Error>,
}

impl Entry {
    /// The last due time that is not after `now`; none if the pattern never was due.
    fn last_due(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
        let unreadable = |error: CronError| Error::Schedule { entry: self.name, problem: error.to_string() };
        let pattern: Cron = self.schedule.parse().map_err(unreadable)?;
        match pattern.find_previous_occurrence(&now.with_timezone(&self.zone), true) {
            Ok(due) => Ok(Some(due.with_timezone(&Utc))),
            Err(CronError::TimeSearchLimitExceeded) => Ok(None),
            Err(error) => Err(unreadable(error)),
        }
    }
}

/// Enqueues what has become due since the last tick of any scheduler, in the caller's transaction; gives how many.
///
/// An entry that was never seen before begins now: its past is not caught up with.
pub async fn tick(conn: &mut PgConnection, clock: &dyn Clock, entries: &[Entry]) -> Result<usize, Error> {
    let now = clock.now();
    let mut enqueued = 0;
    for entry in entries {
        let Some(due) = entry.last_due(now)? else { continue };
        sqlx::query!(
            "INSERT INTO queue.cron_runs (entry, last_due) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            entry.name,
            now,
        )
        .execute(&mut *conn)
        .await?;
        // The row is the entry's lock: of two schedulers that tick at once the second sees what the first enqueued.
        let advanced = sqlx::query!(
            "UPDATE queue.cron_runs SET last_due = $2 WHERE entry = $1 AND last_due < $2",
            entry.name,
            due,
        )
        .execute(&mut *conn)
        .await?;
        let wanted = entry.missed == Missed::RunOnce || now - due <= PUNCTUAL;
        if advanced.rows_affected() == 1 && wanted {
            enqueue(conn, clock, (entry.job)(due)?).await?;
            enqueued += 1;
        }
    }
    Ok(enqueued)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(schedule: &'static str, zone: Tz, now: &str) -> String {
        let entry = Entry { name: "test", schedule, zone, missed: Missed::Skip, job: |_| unreachable!() };
        let due = entry.last_due(now.parse().unwrap()).unwrap().unwrap();
        due.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn a_civil_time_stays_the_same_across_the_changes_of_the_clocks() {
        let noon = |now| due("0 12 * * *", Tz::Europe__Paris, now);
        assert_eq!(noon("2027-03-27T20:00:00Z"), "2027-03-27T11:00:00Z");
        assert_eq!(noon("2027-03-28T20:00:00Z"), "2027-03-28T10:00:00Z");
        assert_eq!(noon("2027-10-30T20:00:00Z"), "2027-10-30T10:00:00Z");
        assert_eq!(noon("2027-10-31T20:00:00Z"), "2027-10-31T11:00:00Z");
        assert_eq!(due("0 12 * * *", Tz::Indian__Reunion, "2027-03-28T20:00:00Z"), "2027-03-28T08:00:00Z");
    }

    #[test]
    fn a_due_time_counts_from_its_very_instant() {
        assert_eq!(due("*/5 * * * *", Tz::UTC, "2027-01-04T08:05:00Z"), "2027-01-04T08:05:00Z");
        assert_eq!(due("*/5 * * * *", Tz::UTC, "2027-01-04T08:04:59Z"), "2027-01-04T08:00:00Z");
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_told_by_its_entry() {
        let entry = Entry {
            name: "nightly",
            schedule: "every night",
            zone: Tz::UTC,
            missed: Missed::Skip,
            job: |_| unreachable!(),
        };
        let error = entry.last_due("2027-01-04T08:00:00Z".parse().unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("the schedule of nightly cannot be read"), "{error}");
    }
}
