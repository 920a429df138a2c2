//! Recurring jobs: once per due time, in the entry's zone, whoever ticks.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::{Europe::Paris, Tz};
use permanence_queue::{
    Error, NewJob,
    clock::{Clock, SimulatedClock},
    cron::{Entry, Missed, tick},
};

use crate::{
    assert_err,
    support::{Count, TestDb, database},
};

fn entry(pattern: &str, zone: Tz, missed: Missed) -> Result<Entry, Error> {
    Entry::new("test", pattern, zone, missed, |due| NewJob::of(&Count { n: due.timestamp() }))
}

async fn due_at(db: &TestDb, clock: &SimulatedClock, entry: &Entry) -> Vec<String> {
    let mut conn = db.pool.acquire().await.unwrap();
    let ticked = tick(&mut conn, clock, std::slice::from_ref(entry)).await.unwrap();
    ticked.into_iter().map(|t| t.due.format("%d %H:%M").to_string()).collect()
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

#[tokio::test]
async fn noon_in_paris_is_noon_in_paris_before_and_after_the_clocks_change() {
    let db = database().await;
    let clock = SimulatedClock::at(at("2027-03-27T00:00:00Z"));
    let noon = entry("0 12 * * *", Paris, Missed::Skip).unwrap();
    assert_eq!(due_at(&db, &clock, &noon).await, Vec::<String>::new(), "the first tick starts from now");

    let mut ran = Vec::new();
    while clock.now() < at("2027-03-29T00:00:00Z") {
        clock.advance(Duration::from_mins(1));
        if clock.now().timestamp() % 3600 == 0 {
            ran.extend(due_at(&db, &clock, &noon).await);
        }
    }
    assert_eq!(ran, ["27 11:00", "28 10:00"]);
}

#[tokio::test]
async fn any_number_of_schedulers_enqueue_a_due_time_once() {
    let db = database().await;
    let clock = SimulatedClock::at(at("2027-01-01T00:00:30Z"));
    let minutely = entry("* * * * *", Paris, Missed::RunOnce).unwrap();
    due_at(&db, &clock, &minutely).await;
    clock.advance(Duration::from_mins(1));

    futures::future::join_all((0..8).map(|_| due_at(&db, &clock, &minutely))).await;

    assert_eq!(db.count("SELECT count(*) FROM queue.jobs").await, 1);
}

#[tokio::test]
async fn missed_due_times_run_once_or_are_skipped() {
    let db = database().await;
    let clock = SimulatedClock::at(at("2027-01-01T00:00:30Z"));
    let hourly = |missed| entry("0 * * * *", Paris, missed).unwrap();
    due_at(&db, &clock, &hourly(Missed::Skip)).await;

    clock.set(at("2027-01-01T05:30:00Z"));
    assert_eq!(due_at(&db, &clock, &hourly(Missed::Skip)).await, Vec::<String>::new());
    assert_eq!(due_at(&db, &clock, &hourly(Missed::RunOnce)).await, ["01 05:00"]);
    assert_eq!(due_at(&db, &clock, &hourly(Missed::RunOnce)).await, Vec::<String>::new());
    clock.set(at("2027-01-01T06:01:00Z"));
    assert_eq!(due_at(&db, &clock, &hourly(Missed::Skip)).await, ["01 06:00"]);
}

#[test]
fn a_wrong_pattern_is_refused_when_the_entry_is_made() {
    assert_err!(entry("every noon", Paris, Missed::Skip), Error::Schedule { entry: "test", .. });
}
