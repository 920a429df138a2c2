//! The worker as a whole: racing, draining, surviving its database, keeping still.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use permanence_queue::{
    Claimed, Job, NewJob, Outcome, Worker,
    clock::{Clock, SimulatedClock, SystemClock},
    enqueue, enqueue_all,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::support::{Count, Running, database, eventually};

async fn done(_: Claimed, _: CancellationToken) -> Outcome {
    Outcome::Done(None)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_perform_two_thousand_jobs_once_each() {
    let db = database().await;
    let jobs = (0..2000).map(|n| NewJob::of(&Count { n }).unwrap()).collect();
    let mut conn = db.pool.acquire().await.unwrap();
    enqueue_all(&mut conn, &SystemClock, jobs).await.unwrap();

    let runs: Arc<Mutex<HashMap<i64, u32>>> = Arc::default();
    let workers = [16, 3].map(|concurrency| {
        let runs = Arc::clone(&runs);
        Running::start(
            db.worker().concurrency(concurrency).prefetch(concurrency),
            move |job: Claimed, _: CancellationToken| {
                let runs = Arc::clone(&runs);
                async move {
                    *runs.lock().unwrap().entry(job.decode::<Count>().unwrap().n).or_default() += 1;
                    Outcome::Done(None)
                }
            },
        )
    });
    eventually("the queue is empty", async || db.count("SELECT count(*) FROM queue.jobs").await == 0).await;
    for worker in workers {
        worker.stop().await;
    }

    assert_eq!(runs.lock().unwrap().len(), 2000);
    assert!(runs.lock().unwrap().values().all(|&times| times == 1));
    let completed = "SELECT count(*) FROM queue.job_history WHERE state = 'completed' AND attempt = 1";
    assert_eq!(db.count(completed).await, 2000);
}

#[tokio::test]
async fn lower_priorities_run_first_and_equal_ones_in_their_order() {
    let db = database().await;
    for (n, priority) in [(1, 5), (2, 0), (3, -3), (4, 0)] {
        db.enqueue_job(NewJob::of(&Count { n }).unwrap().priority(priority)).await.unwrap();
    }
    let order: Arc<Mutex<Vec<i64>>> = Arc::default();
    let seen = Arc::clone(&order);
    let worker = Running::start(db.worker().concurrency(1), move |job: Claimed, _: CancellationToken| {
        seen.lock().unwrap().push(job.decode::<Count>().unwrap().n);
        async { Outcome::Done(None) }
    });
    eventually("all ran", async || order.lock().unwrap().len() == 4).await;
    worker.stop().await;
    assert_eq!(*order.lock().unwrap(), [3, 2, 4, 1]);
}

#[tokio::test]
async fn a_drained_worker_finishes_what_runs_and_hands_back_the_rest() {
    let db = database().await;
    let quick = db.enqueue(0).await;
    let (hangs, waits) = (db.enqueue(1).await, db.enqueue(2).await);
    let stopping = CancellationToken::new();
    let stopped = stopping.clone();
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let worker = Running::start(
        db.worker().concurrency(2).prefetch(5).grace(Duration::from_secs(1)),
        move |job: Claimed, _: CancellationToken| {
            counted.fetch_add(1, Ordering::SeqCst);
            let stopped = stopped.clone();
            async move {
                stopped.cancelled().await;
                if job.decode::<Count>().unwrap().n == 0 {
                    Outcome::Done(None)
                } else {
                    std::future::pending().await
                }
            }
        },
    );
    db.wait_for_state(waits, "running").await;
    // Claimed is not yet begun, and what has not begun goes back.
    eventually("the slots are full", async || begun.load(Ordering::SeqCst) == 2).await;
    worker.shut_down();
    stopping.cancel();
    worker.stop().await;

    assert_eq!(db.state(quick).await, "completed");
    for id in [hangs, waits] {
        assert_eq!(db.state(id).await, "available");
    }
    assert_eq!(db.count("SELECT sum(attempt) FROM queue.jobs").await, 0, "the attempts are restored");
    assert_eq!(db.count("SELECT count(*) FROM queue.processes WHERE ended_at IS NULL").await, 0);
}

#[tokio::test]
async fn a_scheduled_job_runs_when_the_clock_says_so() {
    let db = database().await;
    let clock = SimulatedClock::at(SystemClock.now());
    let mut conn = db.pool.acquire().await.unwrap();
    let due = clock.now() + Duration::from_hours(24);
    let later = NewJob::of(&Count { n: 1 }).unwrap().run_at(due);
    let id = enqueue(&mut conn, &clock, later).await.unwrap().id;
    let never = Duration::from_hours(1);
    let worker = Running::start(db.worker().clock(Arc::new(clock.clone())).poll(never, never), done);
    let first = NewJob::of(&Count { n: 2 }).unwrap();
    let first = enqueue(&mut conn, &clock, first).await.unwrap().id;
    eventually("the due one ran", async || {
        clock.advance(Duration::from_millis(1));
        db.state(first).await == "completed"
    })
    .await;
    assert_eq!(db.state(id).await, "scheduled");

    clock.set(due);
    db.wait_for_state(id, "completed").await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_due_soon_is_not_left_to_the_poll() {
    let db = database().await;
    let soon = SystemClock.now() + Duration::from_millis(300);
    let id = db.enqueue_job(NewJob::of(&Count { n: 1 }).unwrap().run_at(soon)).await.unwrap();
    let never = Duration::from_hours(1);
    let worker = Running::start(db.worker().poll(never, never), done);
    db.wait_for_state(id, "completed").await;
    worker.stop().await;
}

#[tokio::test]
async fn broken_connections_cost_a_pause_and_no_worker() {
    let db = database().await;
    let admin = db.owner();
    let worker = Running::start(db.worker(), async |_: Claimed, _: CancellationToken| {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Outcome::Done(None)
    });
    for round in 0..5 {
        for n in 0..40 {
            let mut conn = admin.acquire().await.unwrap();
            let job = NewJob::of(&Count { n: round * 40 + n }).unwrap();
            enqueue(&mut conn, &SystemClock, job).await.unwrap();
        }
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND usename = 'permanence_login'",
        )
        .execute(&admin)
        .await
        .unwrap();
    }
    eventually("all performed", async || {
        let done: i64 =
            sqlx::query_scalar("SELECT count(*) FROM queue.job_history WHERE state = 'completed'")
                .fetch_one(&admin)
                .await
                .unwrap();
        done == 200
    })
    .await;
    worker.stop().await;
}

#[tokio::test]
async fn an_idle_worker_asks_at_most_twice_a_second() {
    let db = database().await;
    // Counted by the server, and read from another database, so that looking is not counted itself.
    let server = sqlx::PgPool::connect_lazy_with(db.database.owner_options().database("postgres"));
    let statements = async || -> i64 {
        sqlx::query_scalar("SELECT xact_commit FROM pg_stat_database WHERE datname = $1")
            .bind(db.database.name())
            .fetch_one(&server)
            .await
            .unwrap()
    };
    let worker = Running::start(Worker::builder(db.pool.clone(), Count::QUEUE), done);

    // The server counts in arrears, so the first windows still hold what came before.
    let window = Mutex::new((Instant::now(), statements().await));
    eventually("a quiet window of two seconds", async || {
        let (since, before) = *window.lock().unwrap();
        if since.elapsed() < Duration::from_secs(2) {
            return false;
        }
        let now = statements().await;
        *window.lock().unwrap() = (Instant::now(), now);
        (1..=4).contains(&(now - before))
    })
    .await;
    worker.stop().await;
}

#[tokio::test]
async fn short_jobs_are_claimed_ahead_and_go_back_to_the_others_when_they_stall() {
    let db = database().await;
    let (gate, stalls) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (opened, stalled) = (Arc::clone(&gate), Arc::clone(&stalls));
    let worker = Running::start(db.worker().concurrency(1), move |_: Claimed, _: CancellationToken| {
        let (opened, stalled) = (Arc::clone(&opened), Arc::clone(&stalled));
        async move {
            if stalled.load(Ordering::SeqCst) {
                opened.notified().await;
            }
            Outcome::Done(None)
        }
    });
    let mut conn = db.pool.acquire().await.unwrap();
    let batch = || (0..50).map(|n| NewJob::of(&Count { n }).unwrap()).collect();
    enqueue_all(&mut conn, &SystemClock, batch()).await.unwrap();
    eventually("runs are known to be short", async || {
        db.count("SELECT count(*) FROM queue.job_history").await == 50
    })
    .await;

    stalls.store(true, Ordering::SeqCst);
    enqueue_all(&mut conn, &SystemClock, batch()).await.unwrap();
    let running = "SELECT count(*) FROM queue.jobs WHERE state = 'running'";
    eventually("more are claimed than there are slots", async || db.count(running).await > 1).await;
    eventually("all but the one that runs go back", async || db.count(running).await == 1).await;
    assert_eq!(db.count("SELECT max(attempt)::bigint FROM queue.jobs WHERE state = 'available'").await, 0);

    stalls.store(false, Ordering::SeqCst);
    gate.notify_one();
    eventually("all have run", async || db.count("SELECT count(*) FROM queue.jobs").await == 0).await;
    worker.stop().await;
}

#[tokio::test]
async fn long_jobs_are_claimed_for_free_slots_only() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let jobs = (0..50).map(|n| NewJob::of(&Count { n }).unwrap()).collect();
    enqueue_all(&mut conn, &SystemClock, jobs).await.unwrap();
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let worker = db.worker().concurrency(3).grace(Duration::ZERO);
    let worker = Running::start(worker, move |_: Claimed, _: CancellationToken| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    });
    eventually("the slots are full", async || begun.load(Ordering::SeqCst) == 3).await;
    assert_eq!(db.count("SELECT count(*) FROM queue.jobs WHERE state = 'running'").await, 3);
    worker.stop().await;
}
