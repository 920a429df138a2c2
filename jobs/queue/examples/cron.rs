//! A job that recurs by the calendar of its zone, however many schedulers tick.

mod shared;

use std::time::Duration;

use chrono::{DateTime, Utc};
use permanence_queue::{
    Claimed, Job, NewJob, Outcome,
    clock::SimulatedClock,
    cron::{Entry, Missed, tick},
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

#[derive(Serialize, Deserialize)]
struct SendReminders {
    due: DateTime<Utc>,
}

impl Job for SendReminders {
    const KIND: &'static str = "example.send_reminders";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10);
}

#[tokio::main]
pub(crate) async fn main() -> shared::Result {
    let db = shared::Database::start().await?;
    let mut conn = db.pool.acquire().await?;
    let clock = SimulatedClock::at("2027-03-27T10:30:00Z".parse()?);
    let zone = chrono_tz::Europe::Paris;
    let entries = [Entry::new("reminders", "0 12 * * *", zone, Missed::RunOnce, |due| {
        NewJob::of(&SendReminders { due })
    })?];

    assert_eq!(tick(&mut conn, &clock, &entries).await?.len(), 0, "the first tick starts from now");
    clock.advance(Duration::from_mins(30));
    // Two schedulers tick; one job is enqueued.
    let first = tick(&mut conn, &clock, &entries).await?;
    let second = tick(&mut conn, &clock, &entries).await?;
    assert_eq!((first.len(), second.len()), (1, 0));
    assert_eq!(first[0].due, "2027-03-27T11:00:00Z".parse::<DateTime<Utc>>()?, "noon in winter");

    // The clocks change that night, and no scheduler runs until the evening: the missed noon runs once.
    clock.set("2027-03-28T18:00:00Z".parse()?);
    let late = tick(&mut conn, &clock, &entries).await?;
    assert_eq!(late[0].due, "2027-03-28T10:00:00Z".parse::<DateTime<Utc>>()?, "noon in summer");

    let worker = db.work(async |_: Claimed, _: CancellationToken| Outcome::Done(None));
    db.until_empty().await?;
    worker.stop().await
}
