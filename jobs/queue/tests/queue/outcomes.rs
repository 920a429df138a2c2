//! How a run ends: each outcome, each failure, and completion inside the business transaction.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use permanence_queue::{
    Backoff, Claimed, Error, Failure, Job, JobId, Lease, NewJob, Outcome,
    clock::{Clock, SimulatedClock, SystemClock},
    complete_in,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    assert_err,
    support::{Count, Running, TestDb, database, eventually},
};

async fn ended(db: &TestDb, id: JobId) -> (String, i16, Value, Option<Value>) {
    sqlx::query_as("SELECT state::text, attempt, errors, output FROM queue.job_history WHERE id = $1")
        .bind(id.0)
        .fetch_one(&db.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn each_outcome_leaves_its_state() {
    let db = database().await;
    let ids = [db.enqueue(0).await, db.enqueue(1).await, db.enqueue(2).await, db.enqueue(3).await];
    let worker = Running::start(db.worker(), async |job: Claimed, _: CancellationToken| {
        match job.decode::<Count>().unwrap().n {
            0 => Outcome::Done(Some(json!({"pages": 2}))),
            1 => Outcome::Cancel("no longer wanted".to_owned()),
            2 => Outcome::Discard(Failure::new("bad_address", "the address does not exist")),
            _ => Outcome::Snooze(Duration::from_hours(1)),
        }
    });
    db.wait_for_state(ids[0], "completed").await;
    db.wait_for_state(ids[1], "cancelled").await;
    db.wait_for_state(ids[2], "discarded").await;
    db.wait_for_state(ids[3], "scheduled").await;

    assert_eq!(ended(&db, ids[0]).await, ("completed".into(), 1, json!([]), Some(json!({"pages": 2}))));
    assert_eq!(ended(&db, ids[1]).await.2[0]["message"], "no longer wanted");
    assert_eq!(ended(&db, ids[2]).await.2[0]["code"], "bad_address");
    let attempts = db.count("SELECT attempt::bigint FROM queue.jobs").await;
    assert_eq!(attempts, 0, "a snooze is not an attempt");
    worker.stop().await;
}

#[tokio::test]
async fn a_failing_job_backs_off_and_is_discarded_after_its_last_attempt() {
    let db = database().await;
    let start = SystemClock.now();
    let clock = SimulatedClock::at(start);
    let mut conn = db.pool.acquire().await.unwrap();
    let new = NewJob::of(&Count { n: 1 }).unwrap();
    let id = permanence_queue::enqueue(&mut conn, &clock, new).await.unwrap().id;
    let worker = Running::start(
        db.worker().clock(Arc::new(clock.clone())),
        async |_: Claimed, _: CancellationToken| {
            Outcome::Retry(Failure::new("smtp_refused", "the server said no"))
        },
    );

    for attempt in 1..Count::MAX_ATTEMPTS {
        db.wait_for_state(id, "retryable").await;
        let (waits, attempts): (f64, i16) =
            sqlx::query_as("SELECT extract(epoch FROM run_at - $1)::float8, attempt FROM queue.jobs")
                .bind(clock.now())
                .fetch_one(&db.pool)
                .await
                .unwrap();
        assert_eq!(attempts, attempt);
        let nominal = Backoff::DEFAULT.base.as_secs_f64() * f64::from(1 << (attempt - 1));
        assert!((nominal * 0.75..=nominal * 1.25).contains(&waits), "attempt {attempt} waits {waits} s");
        clock.advance(Duration::from_secs_f64(waits + 0.001));
        let due = clock.now();
        eventually("the next attempt", async || {
            let ran = "SELECT count(*) FROM queue.jobs WHERE state = 'retryable' AND run_at <= $1";
            let waiting: i64 = sqlx::query_scalar(ran).bind(due).fetch_one(&db.pool).await.unwrap();
            waiting == 0
        })
        .await;
    }

    db.wait_for_state(id, "discarded").await;
    let (_, attempts, errors, _) = ended(&db, id).await;
    assert_eq!(attempts, Count::MAX_ATTEMPTS);
    assert_eq!(errors.as_array().unwrap().len(), 3);
    assert_eq!(errors[2]["attempt"], 3);
    assert_eq!(errors[2]["code"], "smtp_refused");
    worker.stop().await;
}

#[derive(Serialize, Deserialize)]
struct Hasty;

impl Job for Hasty {
    const KIND: &'static str = "test.hasty";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_millis(50);
    const MAX_ATTEMPTS: i16 = 1;
}

#[tokio::test]
async fn a_panic_and_a_timeout_are_failed_attempts() {
    let db = database().await;
    let hangs = db.enqueue_job(NewJob::of(&Hasty).unwrap()).await.unwrap();
    let panics = db.enqueue(1).await;
    let worker = Running::start(db.worker(), async |job: Claimed, _: CancellationToken| {
        assert_eq!(job.kind, Hasty::KIND, "this test panics here, on purpose");
        std::future::pending().await
    });
    db.wait_for_state(hangs, "discarded").await;
    db.wait_for_state(panics, "retryable").await;

    assert_eq!(ended(&db, hangs).await.2[0]["code"], "timed_out");
    let code = "SELECT errors -> 0 ->> 'code' FROM queue.jobs";
    let code: String = sqlx::query_scalar(code).fetch_one(&db.pool).await.unwrap();
    assert_eq!(code, "panicked");
    worker.stop().await;
}

#[tokio::test]
async fn an_outcome_that_cannot_be_stored_fails_alone() {
    let db = database().await;
    let (bad, good) = (db.enqueue(0).await, db.enqueue(1).await);
    let worker = Running::start(db.worker(), async |job: Claimed, _: CancellationToken| {
        let output = if job.decode::<Count>().unwrap().n == 0 { json!("nul: \0") } else { json!("fine") };
        Outcome::Done(Some(output))
    });
    db.wait_for_state(good, "completed").await;
    db.wait_for_state(bad, "retryable").await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_completes_with_the_business_transaction_or_not_at_all() {
    let db = database().await;
    let id = db.enqueue(1).await;
    let stale: Arc<Mutex<Option<Lease>>> = Arc::default();
    let tries = Arc::new(AtomicUsize::new(0));
    let worker = {
        let (pool, stale, tries) = (db.pool.clone(), Arc::clone(&stale), Arc::clone(&tries));
        Running::start(db.worker(), move |job: Claimed, _: CancellationToken| {
            let (pool, stale, tries) = (pool.clone(), Arc::clone(&stale), Arc::clone(&tries));
            async move {
                let mut tx = pool.begin().await.unwrap();
                complete_in(&mut tx, &SystemClock, &job.lease, Some(json!("effect"))).await.unwrap();
                if tries.fetch_add(1, Ordering::SeqCst) == 0 {
                    *stale.lock().unwrap() = Some(job.lease);
                    tx.rollback().await.unwrap();
                    return Outcome::Snooze(Duration::ZERO);
                }
                tx.commit().await.unwrap();
                Outcome::Completed
            }
        })
    };
    db.wait_for_state(id, "completed").await;
    worker.stop().await;

    assert_eq!(ended(&db, id).await.3, Some(json!("effect")));
    let lease = stale.lock().unwrap().unwrap();
    let mut conn = db.pool.acquire().await.unwrap();
    assert_err!(complete_in(&mut conn, &SystemClock, &lease, None).await, Error::StaleLease);
    assert_eq!(db.count("SELECT count(*) FROM queue.job_history").await, 1);
}
