//! Unique jobs: a duplicate answers with the job that holds the key, and harms no transaction.

use std::{sync::Arc, time::Duration};

use permanence_queue::{
    Claimed, Enqueued, Error, NewJob, OnDuplicate, Outcome, Unique,
    clock::{Clock, SimulatedClock, SystemClock},
    enqueue, enqueue_all,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    assert_err,
    support::{Count, Running, TestDb, database, eventually},
};

fn job(n: i64, unique: Unique) -> NewJob {
    NewJob::of(&Count { n }).unwrap().unique(unique)
}

async fn add(db: &TestDb, job: NewJob) -> Result<Enqueued, Error> {
    let mut conn = db.pool.acquire().await.unwrap();
    enqueue(&mut conn, &SystemClock, job).await
}

#[tokio::test]
async fn a_duplicate_returns_the_existing_job_and_leaves_the_transaction_usable() {
    let db = database().await;
    let mut tx = db.pool.begin().await.unwrap();
    let first = enqueue(&mut tx, &SystemClock, job(1, Unique::until_finished("a"))).await.unwrap();
    let second = enqueue(&mut tx, &SystemClock, job(2, Unique::until_finished("a"))).await.unwrap();
    let other = enqueue(&mut tx, &SystemClock, job(3, Unique::until_finished("b"))).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(second, Enqueued { id: first.id, existing: true });
    assert!(!other.existing);
    assert_eq!(db.count("SELECT count(*) FROM queue.jobs").await, 2);
}

#[tokio::test]
async fn duplicates_within_one_batch_are_found() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let jobs = ["a", "b", "a", "b", "a"].map(|key| job(0, Unique::until_started(key))).into();

    let enqueued = enqueue_all(&mut conn, &SystemClock, jobs).await.unwrap();

    let existing: Vec<bool> = enqueued.iter().map(|e| e.existing).collect();
    assert_eq!(existing, [false, false, true, true, true]);
    assert_eq!(enqueued[4].id, enqueued[0].id);
    assert_eq!(enqueued[3].id, enqueued[1].id);
}

#[tokio::test]
async fn concurrent_enqueues_of_one_key_make_one_job() {
    let db = database().await;
    let adds = (0..20).map(|n| add(&db, job(n, Unique::until_finished("one"))));

    let enqueued: Vec<Enqueued> =
        futures::future::join_all(adds).await.into_iter().collect::<Result<_, _>>().unwrap();

    assert_eq!(enqueued.iter().filter(|e| !e.existing).count(), 1);
    assert!(enqueued.iter().all(|e| e.id == enqueued[0].id));
}

#[tokio::test]
async fn until_started_ends_when_the_job_starts_and_until_finished_when_it_ends() {
    let db = database().await;
    let started = add(&db, job(1, Unique::until_started("s"))).await.unwrap();
    let finished = add(&db, job(2, Unique::until_finished("f"))).await.unwrap();
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let worker = Running::start(db.worker(), move |_: Claimed, _: CancellationToken| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            Outcome::Done(None)
        }
    });
    db.wait_for_state(started.id, "running").await;
    db.wait_for_state(finished.id, "running").await;

    let again = add(&db, job(1, Unique::until_started("s"))).await.unwrap();
    assert!(!again.existing);
    assert!(add(&db, job(2, Unique::until_finished("f"))).await.unwrap().existing);

    eventually("all done", async || {
        go.notify_waiters();
        db.count("SELECT count(*) FROM queue.jobs").await == 0
    })
    .await;
    assert!(!add(&db, job(2, Unique::until_finished("f"))).await.unwrap().existing);
    go.notify_waiters();
    worker.kill().await;
}

#[tokio::test]
async fn a_duplicate_holds_the_start_back_until_its_transaction_ends() {
    let db = database().await;
    let first = add(&db, job(1, Unique::until_started("s"))).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let duplicate = enqueue(&mut tx, &SystemClock, job(1, Unique::until_started("s"))).await.unwrap();
    assert!(duplicate.existing);

    let worker = Running::start(db.worker(), async |_: Claimed, _: CancellationToken| Outcome::Done(None));
    let other = db.enqueue(2).await;
    db.wait_for_state(other, "completed").await;
    assert_eq!(db.state(first.id).await, "available");

    tx.commit().await.unwrap();
    db.wait_for_state(first.id, "completed").await;
    worker.stop().await;
}

#[tokio::test]
async fn per_period_ends_with_the_period() {
    let db = database().await;
    let clock = SimulatedClock::at(SystemClock.now());
    let mut conn = db.pool.acquire().await.unwrap();
    let hourly = || job(1, Unique::per_period("h", Duration::from_hours(1)));

    assert!(!enqueue(&mut conn, &clock, hourly()).await.unwrap().existing);
    clock.advance(Duration::from_mins(59));
    assert!(enqueue(&mut conn, &clock, hourly()).await.unwrap().existing);
    clock.advance(Duration::from_mins(1));
    assert!(!enqueue(&mut conn, &clock, hourly()).await.unwrap().existing);
}

#[tokio::test]
async fn forever_refuses_another_payload_without_aborting_the_transaction() {
    let db = database().await;
    let mut tx = db.pool.begin().await.unwrap();
    let first = enqueue(&mut tx, &SystemClock, job(1, Unique::forever("k"))).await.unwrap();

    assert_eq!(
        enqueue(&mut tx, &SystemClock, job(1, Unique::forever("k"))).await.unwrap(),
        Enqueued { id: first.id, existing: true }
    );
    let conflict = enqueue(&mut tx, &SystemClock, job(2, Unique::forever("k"))).await;
    assert_err!(conflict, Error::Conflict { .. });
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_duplicate_may_replace_or_debounce_the_waiting_job() {
    let db = database().await;
    let hour = SystemClock.now() + Duration::from_hours(1);
    let first = add(&db, job(1, Unique::until_started("k")).run_at(hour)).await.unwrap().id;

    let replace = Unique::until_started("k").on_duplicate(OnDuplicate::Replace);
    add(&db, job(2, replace)).await.unwrap();
    assert_eq!(db.count("SELECT (payload ->> 'n')::bigint FROM queue.jobs").await, 2);
    assert_eq!(db.state(first).await, "scheduled");

    let debounce = Unique::until_started("k").on_duplicate(OnDuplicate::Debounce);
    add(&db, job(3, debounce)).await.unwrap();
    assert_eq!(db.count("SELECT (payload ->> 'n')::bigint FROM queue.jobs").await, 3);
    assert_eq!(db.state(first).await, "available");
}
