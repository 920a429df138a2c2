//! Cancelling waiting and running jobs.

use std::time::Duration;

use permanence_queue::{Cancelled, Claimed, JobId, Outcome, cancel, clock::SystemClock};
use tokio_util::sync::CancellationToken;

use crate::support::{Running, database};

#[tokio::test]
async fn a_waiting_job_ends_at_once() {
    let db = database().await;
    let id = db.enqueue(1).await;
    let mut conn = db.pool.acquire().await.unwrap();

    assert_eq!(cancel(&mut conn, &SystemClock, id).await.unwrap(), Cancelled::Ended);
    assert_eq!(db.state(id).await, "cancelled");
    assert_eq!(cancel(&mut conn, &SystemClock, id).await.unwrap(), Cancelled::NotFound);
    assert_eq!(cancel(&mut conn, &SystemClock, JobId(i64::MAX)).await.unwrap(), Cancelled::NotFound);
}

#[tokio::test]
async fn a_running_job_hears_of_it_and_ends_cancelled() {
    let db = database().await;
    let id = db.enqueue(1).await;
    let worker = Running::start(db.worker(), async |_: Claimed, cancelled: CancellationToken| {
        cancelled.cancelled().await;
        Outcome::Snooze(Duration::from_mins(1))
    });
    db.wait_for_state(id, "running").await;

    let mut conn = db.pool.acquire().await.unwrap();
    assert_eq!(cancel(&mut conn, &SystemClock, id).await.unwrap(), Cancelled::Requested);
    db.wait_for_state(id, "cancelled").await;
    worker.stop().await;
}
