//! Jobs of dead processes run elsewhere; those of slow ones stay.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use permanence_queue::{Claimed, Error, Job, Lease, NewJob, Outcome, clock::SystemClock, complete_in};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    assert_err,
    support::{Count, Running, database, eventually},
};

async fn hang(_: Claimed, _: CancellationToken) -> Outcome {
    std::future::pending().await
}

async fn done(_: Claimed, _: CancellationToken) -> Outcome {
    Outcome::Done(None)
}

#[tokio::test]
async fn the_job_of_a_killed_worker_runs_elsewhere_and_its_old_lease_is_stale() {
    let db = database().await;
    let id = db.enqueue(1).await;
    let lease: Arc<Mutex<Option<Lease>>> = Arc::default();
    let seen = Arc::clone(&lease);
    let victim = Running::start(db.worker(), move |job: Claimed, _: CancellationToken| {
        *seen.lock().unwrap() = Some(job.lease);
        std::future::pending()
    });
    // Claimed is not yet begun: the handler must have its lease before its worker dies.
    eventually("the handler runs", async || lease.lock().unwrap().is_some()).await;
    victim.kill().await;

    let survivor = Running::start(db.worker(), done);
    db.wait_for_state(id, "completed").await;
    survivor.stop().await;

    let (attempt, code): (i16, String) =
        sqlx::query_as("SELECT attempt, errors -> 0 ->> 'code' FROM queue.job_history")
            .fetch_one(&db.pool)
            .await
            .unwrap();
    assert_eq!((attempt, code.as_str()), (2, "process_lost"));
    let lease = lease.lock().unwrap().unwrap();
    let mut conn = db.pool.acquire().await.unwrap();
    assert_err!(complete_in(&mut conn, &SystemClock, &lease, None).await, Error::StaleLease);
}

#[tokio::test]
async fn a_job_that_kills_its_workers_ends_dead() {
    let db = database().await;
    let id = db.enqueue(1).await;
    for attempt in 1..=i64::from(Count::MAX_ATTEMPTS) {
        let victim = Running::start(db.worker(), hang);
        eventually("the next attempt runs", async || {
            db.count("SELECT attempt::bigint FROM queue.jobs").await == attempt
        })
        .await;
        victim.kill().await;
    }
    let survivor = Running::start(db.worker(), done);
    db.wait_for_state(id, "discarded").await;
    survivor.stop().await;
    assert_eq!(db.count("SELECT jsonb_array_length(errors)::bigint FROM queue.job_history").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_worker_that_blocks_its_runtime_keeps_its_job() {
    let db = database().await;
    let id = db.enqueue(1).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let slow = Running::start(db.worker(), move |_: Claimed, _: CancellationToken| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            // Three times as long as a silent process is taken for dead.
            std::thread::sleep(Duration::from_millis(1200));
            Outcome::Done(None)
        }
    });
    db.wait_for_state(id, "running").await;
    let other = Running::start(db.worker(), done);
    db.wait_for_state(id, "completed").await;

    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(db.count("SELECT attempt::bigint FROM queue.job_history").await, 1);
    other.stop().await;
    slow.stop().await;
}

#[derive(Serialize, Deserialize)]
struct Long;

impl Job for Long {
    const KIND: &'static str = "test.long";
    const QUEUE: &'static str = Count::QUEUE;
    const TIMEOUT: Duration = Duration::from_mins(20);
}

/// How long the long job runs, and after what silence its process would be dead: `PERMANENCE_LONG_JOB_SECONDS` under a
/// window of 15 s, three times the tests' usual window unless said otherwise.
fn long_job() -> (Duration, Duration, Duration) {
    std::env::var("PERMANENCE_LONG_JOB_SECONDS").map_or(
        (Duration::from_millis(1200), Duration::from_millis(40), Duration::from_millis(400)),
        |seconds| {
            (Duration::from_secs(seconds.parse().unwrap()), Duration::from_secs(3), Duration::from_secs(15))
        },
    )
}

#[tokio::test]
async fn a_job_far_longer_than_the_rescue_window_runs_once() {
    let db = database().await;
    let (length, beat, window) = long_job();
    let job = NewJob::of(&Long).unwrap();
    let id = db.enqueue_job(job).await.unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let workers = [0, 1].map(|_| {
        let runs = Arc::clone(&runs);
        Running::start(db.worker().heartbeat(beat, window), move |_: Claimed, _: CancellationToken| {
            runs.fetch_add(1, Ordering::SeqCst);
            async move {
                // The length itself is what is tested.
                tokio::time::sleep(length).await;
                Outcome::Done(None)
            }
        })
    });
    eventually("it runs", async || runs.load(Ordering::SeqCst) > 0).await;
    tokio::time::sleep(length).await;
    db.wait_for_state(id, "completed").await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(db.count("SELECT attempt::bigint FROM queue.job_history").await, 1);
    for worker in workers {
        worker.stop().await;
    }
}
