//! What a transaction that someone holds open costs: nothing that ended since can be cleaned up meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use permanence_queue::{Claimed, Job, NewJob, Outcome, Worker, clock::SystemClock, enqueue_all};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::server::{Database, Noop, Server, per_second};

const WINDOW: Duration = Duration::from_mins(1);
/// The backlog is topped up to this, so that the workers never idle.
const BACKLOG: usize = 20_000;

pub(crate) async fn run(server: &Server) {
    let free = through(&server.database().await).await;
    let db = server.database().await;
    let mut holder = db.pool.begin().await.unwrap();
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM queue.jobs")
        .execute(&mut *holder)
        .await
        .unwrap();
    let held = through(&db).await;
    holder.rollback().await.unwrap();
    println!(
        "60 s of enqueue and perform: {free}/s; with a transaction held open {held}/s, {} %",
        held * 100 / free
    );
}

/// Jobs a second, enqueued and performed at once.
async fn through(db: &Database) -> u64 {
    let performed = Arc::new(AtomicUsize::new(0));
    let (counted, over, shutdown) =
        (Arc::clone(&performed), Arc::new(AtomicBool::new(false)), CancellationToken::new());
    let worker = Worker::builder(db.pool.clone(), Noop::QUEUE).concurrency(100);
    let worker = tokio::spawn(worker.run(
        move |_: Claimed, _: CancellationToken| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Outcome::Done(None) }
        },
        shutdown.clone(),
    ));
    let (pool, done, ended) = (db.pool.clone(), Arc::clone(&performed), Arc::clone(&over));
    let producer = tokio::spawn(async move {
        let mut conn = pool.acquire().await.unwrap();
        let mut enqueued = 0;
        while !ended.load(Ordering::Relaxed) {
            if enqueued < done.load(Ordering::Relaxed) + BACKLOG {
                let jobs = (0..1000).map(|n| NewJob::of(&Noop { n }).unwrap()).collect();
                enqueue_all(&mut conn, &SystemClock, jobs).await.unwrap();
                enqueued += 1000;
            } else {
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    let start = Instant::now();
    sleep_until(start + WINDOW).await;
    let jobs = performed.load(Ordering::Relaxed);
    over.store(true, Ordering::Relaxed);
    producer.await.unwrap();
    shutdown.cancel();
    worker.await.unwrap().unwrap();
    per_second(jobs, WINDOW)
}
