//! Enqueueing in the caller's transaction.

use std::time::Duration;

use permanence_queue::{
    Error, Job, NewJob, Rescheduled,
    clock::{Clock, SimulatedClock, SystemClock},
    enqueue, enqueue_all, reschedule,
};
use serde::{Deserialize, Serialize};

use crate::{
    assert_err,
    support::{Count, database},
};

#[tokio::test]
async fn a_due_job_is_available_and_a_later_one_scheduled() {
    let db = database().await;
    let later = SystemClock.now() + Duration::from_hours(1);

    let due = db.enqueue(1).await;
    let scheduled = db.enqueue_job(NewJob::of(&Count { n: 2 }).unwrap().run_at(later)).await.unwrap();

    assert_eq!(db.state(due).await, "available");
    assert_eq!(db.state(scheduled).await, "scheduled");
}

#[tokio::test]
async fn a_thousand_jobs_are_enqueued_in_their_order() {
    let db = database().await;
    let jobs = (0..1000).map(|n| NewJob::of(&Count { n }).unwrap()).collect();

    let mut conn = db.pool.acquire().await.unwrap();
    let enqueued = enqueue_all(&mut conn, &SystemClock, jobs).await.unwrap();

    let ids: Vec<i64> = enqueued.iter().map(|e| e.id.0).collect();
    let stored: Vec<(i64, i64)> =
        sqlx::query_as("SELECT id, (payload ->> 'n')::bigint FROM queue.jobs ORDER BY id")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    let expected: Vec<(i64, i64)> = ids.into_iter().zip(0..).collect();
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn a_rolled_back_transaction_enqueues_nothing() {
    let db = database().await;
    let mut tx = db.pool.begin().await.unwrap();
    enqueue(&mut tx, &SystemClock, NewJob::of(&Count { n: 1 }).unwrap()).await.unwrap();
    tx.rollback().await.unwrap();

    assert_eq!(db.count("SELECT count(*) FROM queue.jobs").await, 0);
}

#[tokio::test]
async fn a_simulated_clock_decides_what_is_due() {
    let db = database().await;
    let noon = "2031-05-04T12:00:00Z".parse().unwrap();
    let clock = SimulatedClock::at(noon);
    let mut conn = db.pool.acquire().await.unwrap();

    let job = NewJob::of(&Count { n: 1 }).unwrap().run_at(noon);
    let due = enqueue(&mut conn, &clock, job.clone()).await.unwrap().id;
    clock.set(noon - Duration::from_secs(1));
    let early = enqueue(&mut conn, &clock, job).await.unwrap().id;

    assert_eq!(db.state(due).await, "available");
    assert_eq!(db.state(early).await, "scheduled");
}

#[tokio::test]
async fn an_unknown_queue_is_its_own_error() {
    #[derive(Serialize, Deserialize)]
    struct Stray;
    impl Job for Stray {
        const KIND: &'static str = "test.stray";
        const QUEUE: &'static str = "nowhere";
        const TIMEOUT: Duration = Duration::from_secs(1);
    }
    let db = database().await;

    assert_err!(db.enqueue_job(NewJob::of(&Stray).unwrap()).await, Error::UnknownQueue(_));
}

#[tokio::test]
async fn a_waiting_job_is_rescheduled() {
    let db = database().await;
    let later = SystemClock.now() + Duration::from_hours(1);
    let id = db.enqueue(1).await;
    let mut conn = db.pool.acquire().await.unwrap();

    assert_eq!(reschedule(&mut conn, &SystemClock, id, later).await.unwrap(), Rescheduled::Moved);
    assert_eq!(db.state(id).await, "scheduled");
    let now = SystemClock.now();
    assert_eq!(reschedule(&mut conn, &SystemClock, id, now).await.unwrap(), Rescheduled::Moved);
    assert_eq!(db.state(id).await, "available");
    let nobody = permanence_queue::JobId(i64::MAX);
    assert_eq!(reschedule(&mut conn, &SystemClock, nobody, now).await.unwrap(), Rescheduled::NotWaiting);
}
