//! Jobs of dead processes run elsewhere; those of slow ones stay.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use permanence_queue::{Claimed, Error, Job, Lease, Outcome, clock::SystemClock, complete_in};
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
