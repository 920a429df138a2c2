//! Operating queues: pause and resume, counts, dead letters, housekeeping.

use std::time::Duration;

use permanence_queue::{
    Claimed, DeadFilter, Error, Failure, NewJob, Outcome, Revived, Unique, cancel,
    clock::{Clock, SimulatedClock, SystemClock},
    discard, enqueue, maintain, pause, resume, retry, retry_all, stats,
};
use tokio_util::sync::CancellationToken;

use crate::{
    assert_err,
    support::{Count, Running, TestDb, database, eventually, tenant},
};

async fn done(_: Claimed, _: CancellationToken) -> Outcome {
    Outcome::Done(None)
}

async fn fails(_: Claimed, _: CancellationToken) -> Outcome {
    Outcome::Discard(Failure::new("broken", "it cannot work"))
}

#[tokio::test]
async fn a_paused_queue_starts_nothing_until_it_is_resumed() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    pause(&mut conn, &SystemClock, "default").await.unwrap();
    let id = db.enqueue(1).await;
    let worker = Running::start(db.worker(), done);
    let beats =
        "SELECT count(*) FROM queue.processes WHERE seen_at > started_at + interval '200 milliseconds'";
    eventually("the worker has looked often", async || db.count(beats).await == 1).await;
    assert_eq!(db.state(id).await, "available");

    resume(&mut conn, "default").await.unwrap();
    db.wait_for_state(id, "completed").await;
    worker.stop().await;
    assert_err!(pause(&mut conn, &SystemClock, "nowhere").await, Error::NoSuchQueue(_));
    assert_err!(resume(&mut conn, "nowhere").await, Error::NoSuchQueue(_));
}

#[tokio::test]
async fn stats_tell_the_depth_the_age_and_the_workers() {
    let db = database().await;
    let clock = SimulatedClock::at(SystemClock.now());
    let mut conn = db.pool.acquire().await.unwrap();
    for (n, run_at) in [(1, clock.now()), (2, clock.now()), (3, clock.now() + Duration::from_hours(1))] {
        let job = NewJob::of(&Count { n }).unwrap().run_at(run_at);
        enqueue(&mut conn, &clock, job).await.unwrap();
    }
    clock.advance(Duration::from_mins(1));
    pause(&mut conn, &clock, "default").await.unwrap();
    let worker = Running::start(db.worker(), done);
    eventually("the worker is there", async || db.count("SELECT count(*) FROM queue.processes").await == 1)
        .await;

    let all = stats(&mut conn, &clock).await.unwrap();
    let [default] = all.iter().filter(|q| q.queue == "default").collect::<Vec<_>>()[..] else {
        panic!("{all:?}")
    };
    assert_eq!((default.available, default.scheduled, default.running, default.retryable), (2, 1, 0, 0));
    assert!(default.oldest_seconds.is_some_and(|age| (age - 60.0).abs() < 0.01), "{default:?}");
    assert!(default.paused_at.is_some());
    assert_eq!(default.workers, 1);
    let views = all.iter().find(|q| q.queue == "views").unwrap();
    assert_eq!((views.available, views.oldest_seconds, views.paused_at), (0, None, None));
    worker.stop().await;
}

/// Where nobody works nothing becomes available, and that must not look like rest.
#[tokio::test]
async fn what_is_due_and_was_never_made_available_has_an_age() {
    let db = database().await;
    let clock = SimulatedClock::at(SystemClock.now());
    let mut conn = db.pool.acquire().await.unwrap();
    let job = NewJob::of(&Count { n: 1 }).unwrap().run_at(clock.now() + Duration::from_mins(10));
    enqueue(&mut conn, &clock, job).await.unwrap();
    let mut age = async || {
        let all = stats(&mut conn, &clock).await.unwrap();
        let default = all.into_iter().find(|q| q.queue == "default").unwrap();
        (default.scheduled, default.oldest_seconds.map(f64::round))
    };
    assert_eq!(age().await, (1, None), "it is not due");
    clock.advance(Duration::from_mins(12));
    assert_eq!(age().await, (1, Some(120.0)));
}

/// What an autoscaler goes by: due or running, by the database's own clock, and nothing while the queue is paused.
#[tokio::test]
async fn the_backlog_is_what_workers_could_do_now() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let backlog = async || -> (i64, i64) {
        sqlx::query_as("SELECT jobs, oldest_seconds FROM queue.backlog('default')")
            .fetch_one(&db.pool)
            .await
            .unwrap()
    };
    assert_eq!(backlog().await, (0, 0));
    let past = SimulatedClock::at(SystemClock.now() - Duration::from_mins(10));
    // Due since, though nobody has made it available; due in an hour; due now.
    for due in [past.now() + Duration::from_mins(5), past.now() + Duration::from_mins(70), past.now()] {
        enqueue(&mut conn, &past, NewJob::of(&Count { n: 1 }).unwrap().run_at(due)).await.unwrap();
    }
    let (jobs, oldest) = backlog().await;
    assert!(jobs == 2 && (600..660).contains(&oldest), "{jobs} {oldest}");
    pause(&mut conn, &SystemClock, "default").await.unwrap();
    assert_eq!(backlog().await, (0, 0), "workers would find nothing to do");
    resume(&mut conn, "default").await.unwrap();

    let release = CancellationToken::new();
    let held = release.clone();
    let worker = Running::start(db.worker(), move |_: Claimed, _: CancellationToken| {
        let held = held.clone();
        async move {
            held.cancelled().await;
            Outcome::Done(None)
        }
    });
    eventually("both run", async || {
        db.count("SELECT count(*) FROM queue.jobs WHERE state = 'running'").await == 2
    })
    .await;
    assert_eq!(backlog().await, (2, 0), "what runs holds its worker, and waits no more");
    release.cancel();
    eventually("all is done", async || backlog().await == (0, 0)).await;
    worker.stop().await;
}

async fn dead(db: &TestDb, count: i64) -> Vec<permanence_queue::JobId> {
    let mut ids = Vec::new();
    for n in 0..count {
        let of = tenant(u128::from(n % 2 == 0));
        ids.push(db.enqueue_job(NewJob::of(&Count { n }).unwrap().tenant(of)).await.unwrap());
    }
    let worker = Running::start(db.worker(), fails);
    for id in &ids {
        db.wait_for_state(*id, "discarded").await;
    }
    worker.stop().await;
    ids
}

#[tokio::test]
async fn stats_tell_what_is_done_in_a_minute_and_what_died_in_a_day() {
    let db = database().await;
    for n in 0..6 {
        db.enqueue(n).await;
    }
    let worker = Running::start(db.worker(), async |job: Claimed, token: CancellationToken| {
        if job.decode::<Count>().unwrap().n < 2 { fails(job, token).await } else { done(job, token).await }
    });
    let default = async |clock: &dyn Clock| {
        let all = stats(&mut db.pool.acquire().await.unwrap(), clock).await.unwrap();
        all.into_iter().find(|queue| queue.queue == "default").unwrap()
    };
    // Six in a life that is shorter than a minute.
    let told = async || default(&SystemClock).await.finished_per_second >= 0.1;
    eventually("a heartbeat told", told).await;
    let now = default(&SystemClock).await;
    assert_eq!((now.started_per_second, now.finished_per_second), (0.1, 0.1));
    worker.stop().await;
    let now = default(&SystemClock).await;
    assert_eq!((now.workers, now.finished_per_second, now.dead), (0, 0.0, 2));
    let tomorrow = SimulatedClock::at(SystemClock.now() + Duration::from_hours(25));
    assert_eq!(default(&tomorrow).await.dead, 0);
}

#[tokio::test]
async fn a_worker_that_fell_silent_is_not_counted() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let workers = "INSERT INTO queue.processes (queue, host, seen_at, finished_per_second)
                   VALUES ('default', 'silent', now() - interval '2 minutes', 5), ('default', 'living', now(), 3)";
    sqlx::query(workers).execute(&mut *conn).await.unwrap();
    let all = stats(&mut conn, &SystemClock).await.unwrap();
    let default = all.iter().find(|queue| queue.queue == "default").unwrap();
    assert_eq!((default.workers, default.finished_per_second), (1, 3.0));
}

#[tokio::test]
async fn a_dead_job_comes_back_with_all_its_attempts_and_its_errors() {
    let db = database().await;
    let id = dead(&db, 1).await[0];
    let mut conn = db.pool.acquire().await.unwrap();

    assert!(retry(&mut conn, &SystemClock, id).await.unwrap());
    assert!(!retry(&mut conn, &SystemClock, id).await.unwrap(), "it is no longer dead");
    assert_eq!(db.count("SELECT attempt::bigint FROM queue.jobs").await, 0);
    let worker = Running::start(db.worker(), done);
    db.wait_for_state(id, "completed").await;
    worker.stop().await;
    assert_eq!(db.count("SELECT jsonb_array_length(errors)::bigint FROM queue.job_history").await, 1);
    assert!(!retry(&mut conn, &SystemClock, id).await.unwrap(), "a completed job is not dead");
}

#[tokio::test]
async fn dead_jobs_come_back_by_filter_and_in_batches() {
    let db = database().await;
    let ids = dead(&db, 5).await;
    let unwanted = db.enqueue(9).await;
    let mut conn = db.pool.acquire().await.unwrap();
    cancel(&mut conn, &SystemClock, unwanted).await.unwrap();

    let of = |code: &str| DeadFilter {
        queue: Some("default".to_owned()),
        kind: Some("test.count".to_owned()),
        tenant: Some(tenant(1)),
        code: Some(code.to_owned()),
        ..DeadFilter::default()
    };
    let none = retry_all(&mut conn, &SystemClock, &of("other"), 10).await.unwrap();
    assert_eq!(none, []);
    let first = retry_all(&mut conn, &SystemClock, &of("broken"), 2).await.unwrap();
    let second = retry_all(&mut conn, &SystemClock, &of("broken"), 2).await.unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!(second, [Revived { id: ids[4], queue: "default".to_owned(), tenant: Some(tenant(1)) }]);
    let later =
        DeadFilter { since: Some(SystemClock.now() + Duration::from_mins(1)), ..DeadFilter::default() };
    assert_eq!(retry_all(&mut conn, &SystemClock, &later, 10).await.unwrap(), []);
    let rest = retry_all(&mut conn, &SystemClock, &DeadFilter::default(), 10).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!(db.state(unwanted).await, "cancelled", "what was cancelled comes back only by name");
}

#[tokio::test]
async fn a_waiting_job_is_discarded_with_its_reason() {
    let db = database().await;
    let id = db.enqueue(1).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let reason = || Failure::new("by_hand", "it would never end");
    assert!(discard(&mut conn, &SystemClock, id, reason()).await.unwrap());
    assert!(!discard(&mut conn, &SystemClock, id, reason()).await.unwrap());
    assert_eq!(db.state(id).await, "discarded");
    let code = "SELECT count(*) FROM queue.job_history WHERE errors -> 0 ->> 'code' = 'by_hand'";
    assert_eq!(db.count(code).await, 1);
}

#[tokio::test]
async fn maintenance_releases_keys_that_nothing_holds() {
    let db = database().await;
    let clock = SimulatedClock::at(SystemClock.now());
    let mut conn = db.pool.acquire().await.unwrap();
    let hour = Duration::from_hours(1);
    let keys = [
        Unique::until_started("s"),
        Unique::until_finished("f"),
        Unique::per_period("p", hour),
        Unique::forever("e"),
    ];
    let mut ids = Vec::new();
    for unique in keys {
        let job = NewJob::of(&Count { n: 1 }).unwrap().unique(unique);
        ids.push(enqueue(&mut conn, &clock, job).await.unwrap().id);
    }
    assert_eq!(maintain(&mut conn, &clock).await.unwrap().keys_released, 0);
    for id in ids {
        cancel(&mut conn, &clock, id).await.unwrap();
    }
    assert_eq!(maintain(&mut conn, &clock).await.unwrap().keys_released, 2);
    clock.advance(hour);
    assert_eq!(maintain(&mut conn, &clock).await.unwrap().keys_released, 1);
    assert_eq!(db.count("SELECT count(*) FROM queue.unique_keys WHERE key = 'e'").await, 1);
}

#[tokio::test]
async fn maintenance_forgets_processes_that_ended_long_ago() {
    let db = database().await;
    let worker = Running::start(db.worker(), done);
    let id = db.enqueue(1).await;
    db.wait_for_state(id, "completed").await;
    worker.stop().await;
    let mut conn = db.pool.acquire().await.unwrap();
    assert_eq!(maintain(&mut conn, &SystemClock).await.unwrap().processes_forgotten, 0);
    let age = "UPDATE queue.processes SET ended_at = ended_at - interval '91 days'";
    sqlx::query(age).execute(&mut *conn).await.unwrap();
    assert_eq!(maintain(&mut conn, &SystemClock).await.unwrap().processes_forgotten, 1);
}
