//! Jobs that belong together: batches, follow-ups, progress.

use std::{sync::Arc, time::Duration};

use permanence_queue::{
    Backoff, Claimed, Error, Failure, Job, JobId, NewJob, Outcome, Progress, cancel, clock::SystemClock,
    enqueue_batch, progress, report_progress,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    assert_err,
    support::{Count, Running, TestDb, database, eventually},
};

#[derive(Serialize, Deserialize)]
struct Last;

impl Job for Last {
    const KIND: &'static str = "test.last";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(5);
    const BACKOFF: Backoff = Backoff::exponential(Duration::ZERO, Duration::ZERO);
}

fn members(count: i64) -> Vec<NewJob> {
    (0..count).map(|n| NewJob::of(&Count { n }).unwrap()).collect()
}

async fn exists(db: &TestDb, id: JobId) -> bool {
    let all = "SELECT EXISTS (SELECT FROM queue.jobs WHERE id = $1
                              UNION ALL SELECT FROM queue.job_history WHERE id = $1)";
    sqlx::query_scalar(all).bind(id.0).fetch_one(&db.pool).await.unwrap()
}

#[tokio::test]
async fn the_last_job_of_a_batch_runs_once_when_all_have_ended_however_they_did() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let last = NewJob::of(&Last).unwrap();
    let batch = enqueue_batch(&mut conn, &SystemClock, members(40), last).await.unwrap();
    assert_eq!(batch.members.len(), 40);
    let hold = Arc::new(Notify::new());
    let workers = [0, 1].map(|_| {
        let hold = Arc::clone(&hold);
        Running::start(db.worker(), move |job: Claimed, _: CancellationToken| {
            let hold = Arc::clone(&hold);
            async move {
                match job.decode::<Count>() {
                    Ok(Count { n: 39 }) => {
                        hold.notified().await;
                        Outcome::Done(None)
                    }
                    Ok(Count { n }) if n % 3 == 0 => Outcome::Discard(Failure::new("no", "no")),
                    Ok(Count { n }) if n % 3 == 1 => Outcome::Cancel("no".to_owned()),
                    Ok(_) | Err(_) => Outcome::Done(None),
                }
            }
        })
    });
    let ended = "SELECT count(*) FROM queue.job_history";
    eventually("all but one have ended", async || db.count(ended).await == 39).await;
    assert!(!exists(&db, batch.then).await, "one still runs");

    hold.notify_waiters();
    eventually("the last one runs", async || {
        hold.notify_waiters();
        exists(&db, batch.then).await && db.state(batch.then).await == "completed"
    })
    .await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(db.count(ended).await, 41);
    assert_eq!(db.count("SELECT count(*) FROM queue.batch_members").await, 0);
}

#[tokio::test]
async fn a_batch_whose_members_are_all_cancelled_or_none_still_ends() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let last = || NewJob::of(&Last).unwrap();
    let empty = enqueue_batch(&mut conn, &SystemClock, Vec::new(), last()).await.unwrap();
    assert_eq!(db.state(empty.then).await, "available");

    let batch = enqueue_batch(&mut conn, &SystemClock, members(2), last()).await.unwrap();
    for member in batch.members {
        cancel(&mut conn, &SystemClock, member).await.unwrap();
    }
    let worker = Running::start(db.worker(), async |_: Claimed, _: CancellationToken| Outcome::Done(None));
    eventually("the last one ran", async || {
        exists(&db, batch.then).await && db.state(batch.then).await == "completed"
    })
    .await;
    worker.stop().await;
}

#[tokio::test]
async fn a_follow_up_is_enqueued_with_the_completion_or_fails_it() {
    let db = database().await;
    let good = db.enqueue(0).await;
    let bad = db.enqueue(1).await;
    let worker = Running::start(db.worker(), async |job: Claimed, _: CancellationToken| {
        match job.decode::<Count>().map(|job| job.n) {
            Ok(0) => Outcome::DoneThen(Some(json!("done")), vec![NewJob::of(&Last).unwrap()]),
            Ok(_) => Outcome::DoneThen(None, vec![NewJob::of(&Last).unwrap().rate_key("unheard of")]),
            Err(_) => Outcome::Done(None),
        }
    });
    db.wait_for_state(good, "completed").await;
    db.wait_for_state(bad, "retryable").await;
    let followed = "SELECT count(*) FROM queue.job_history WHERE kind = 'test.last'";
    eventually("the follow-up ran", async || db.count(followed).await == 1).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_run_reports_its_progress_while_its_lease_is_current() {
    let db = database().await;
    let id = db.enqueue(1).await;
    let pool = db.pool.clone();
    let worker = Running::start(db.worker(), move |job: Claimed, _: CancellationToken| {
        let pool = pool.clone();
        async move {
            let mut conn = pool.acquire().await.unwrap();
            for done in 1..=3 {
                let now = Progress { done, total: Some(3) };
                report_progress(&mut conn, &SystemClock, &job.lease, now).await.unwrap();
            }
            Outcome::Done(Some(serde_json::to_value(job.id).unwrap()))
        }
    });
    db.wait_for_state(id, "completed").await;
    let mut conn = db.pool.acquire().await.unwrap();
    assert_eq!(progress(&mut conn, id).await.unwrap(), Some(Progress { done: 3, total: Some(3) }));
    assert_eq!(progress(&mut conn, JobId(i64::MAX)).await.unwrap(), None);
    worker.stop().await;

    let late = db.enqueue(2).await;
    let pool = db.pool.clone();
    let worker = Running::start(db.worker(), move |job: Claimed, _: CancellationToken| {
        let pool = pool.clone();
        async move {
            let mut conn = pool.acquire().await.unwrap();
            permanence_queue::complete_in(&mut conn, &SystemClock, &job.lease, None).await.unwrap();
            let now = Progress { done: 1, total: None };
            assert_err!(report_progress(&mut conn, &SystemClock, &job.lease, now).await, Error::StaleLease);
            Outcome::Completed
        }
    });
    db.wait_for_state(late, "completed").await;
    worker.stop().await;
}
