//! Enqueues jobs that recur by the calendar. Due times come from the entry's pattern in the entry's zone, the last
//! one from Postgres, so any number of schedulers may tick and each due time is enqueued once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::{Cron, errors::CronError};
use sqlx::{Connection, PgConnection};

use crate::{Enqueued, Error, NewJob, Unique, clock::Clock, enqueue};

/// How late a tick may come for its due time not to count as missed: schedulers tick every minute.
const PUNCTUAL: Duration = Duration::from_mins(2);
/// How long the key of (entry, due time) is kept, should the row of the last run be lost.
const KEPT: Duration = Duration::from_hours(24 * 30);

/// A job that recurs by the calendar.
#[derive(Debug, Clone)]
pub struct Entry {
    name: &'static str,
    schedule: Cron,
    zone: Tz,
    missed: Missed,
    job: JobOfDue,
}

/// Makes the job of a due time.
pub type JobOfDue = fn(due: DateTime<Utc>) -> Result<NewJob, Error>;

/// What becomes of due times that passed while no scheduler ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// The latest of them is enqueued, once.
    RunOnce,
    /// They are skipped.
    Skip,
}

/// A due time that was enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticked {
    /// The entry's name.
    pub entry: &'static str,
    /// The due time.
    pub due: DateTime<Utc>,
    /// The queue to wake after the commit.
    pub queue: String,
    /// The job.
    pub job: Enqueued,
}

impl Entry {
    /// An entry with a stable name, a cron pattern like `0 12 * * *`, and the zone the pattern is meant in.
    pub fn new(
        name: &'static str,
        pattern: &str,
        zone: Tz,
        missed: Missed,
        job: JobOfDue,
    ) -> Result<Self, Error> {
        let schedule = pattern.parse().map_err(|source| Error::Schedule { entry: name, source })?;
        Ok(Self { name, schedule, zone, missed, job })
    }

    /// The entry's stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The next due time after `time`.
    pub fn next_after(&self, time: DateTime<Utc>) -> Result<DateTime<Utc>, Error> {
        self.occurrence(self.schedule.find_next_occurrence(&time.with_timezone(&self.zone), false))
    }

    fn latest_until(&self, time: DateTime<Utc>) -> Result<DateTime<Utc>, Error> {
        self.occurrence(self.schedule.find_previous_occurrence(&time.with_timezone(&self.zone), true))
    }

    fn occurrence(&self, found: Result<DateTime<Tz>, CronError>) -> Result<DateTime<Utc>, Error> {
        found
            .map(|time| time.with_timezone(&Utc))
            .map_err(|source| Error::Schedule { entry: self.name, source })
    }

    /// The due time to enqueue now, given the last one that was.
    fn due(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
        if self.next_after(last)? > now {
            return Ok(None);
        }
        let latest = self.latest_until(now)?;
        let punctual = (now - latest).to_std().unwrap_or_default() <= PUNCTUAL;
        Ok((punctual || self.missed == Missed::RunOnce).then_some(latest))
    }
}

/// Enqueues what became due since the last tick; each entry in a transaction of its own.
///
/// An entry seen for the first time starts from now.
pub async fn tick(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    entries: &[Entry],
) -> Result<Vec<Ticked>, Error> {
    let mut ticked = Vec::new();
    for entry in entries {
        ticked.extend(tick_one(conn, clock, entry).await?);
    }
    Ok(ticked)
}

async fn tick_one(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    entry: &Entry,
) -> Result<Option<Ticked>, Error> {
    let mut tx = conn.begin().await?;
    // The row's lock lets one scheduler tick an entry at a time; the next one sees what this one did.
    let run = sqlx::query!(
        r#"INSERT INTO queue.cron_runs AS run (entry, last_due) VALUES ($1, COALESCE($2, clock_timestamp()))
           ON CONFLICT (entry) DO UPDATE SET last_due = run.last_due
           RETURNING last_due, COALESCE($2, clock_timestamp()) AS "now!""#,
        entry.name,
        clock.simulated(),
    )
    .fetch_one(&mut *tx)
    .await?;
    let Some(due) = entry.due(run.last_due, run.now)? else {
        tx.commit().await?;
        return Ok(None);
    };
    let key = format!("cron:{}@{}", entry.name, due.to_rfc3339());
    let job = (entry.job)(due)?.unique_unless_said(Unique::per_period(key, KEPT));
    let queue = job.queue().to_owned();
    let job = enqueue(&mut tx, clock, job).await?;
    sqlx::query!("UPDATE queue.cron_runs SET last_due = $2 WHERE entry = $1", entry.name, due)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(Ticked { entry: entry.name, due, queue, job }))
}
