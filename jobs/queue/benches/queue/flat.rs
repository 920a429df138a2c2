//! What a claim costs while few or millions of jobs wait for their day: Postgres' own clock for the claims that a
//! worker makes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use permanence_queue::{Claimed, Job, NewJob, Outcome, Worker, clock::SystemClock, enqueue_all};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::server::{Database, Noop, Server};

const SCHEDULED: [i32; 3] = [1_000, 100_000, 5_000_000];
const BURNT: usize = 20_000;

pub(crate) async fn run(server: &Server) {
    let db = server.database().await;
    let owner = PgPool::connect_lazy_with(db.owner.clone());
    sqlx::raw_sql("CREATE EXTENSION pg_stat_statements").execute(&owner).await.unwrap();
    let mut scheduled = 0;
    for wanted in SCHEDULED {
        schedule(&owner, scheduled, wanted).await;
        scheduled = wanted;
        // The first round warms the caches and plans; of the others the middle one counts.
        let mut rounds = Vec::new();
        for round in 0..6 {
            let time = claims(&db, &owner).await;
            if round > 0 {
                rounds.push(time);
            }
        }
        rounds.sort_by(f64::total_cmp);
        println!(
            "claims with {wanted} jobs scheduled: {:.2} µs a job ({:.2} to {:.2})",
            rounds[2], rounds[0], rounds[4]
        );
    }
}

/// Schedules jobs for the coming year.
async fn schedule(owner: &PgPool, from: i32, to: i32) {
    sqlx::query(
        "INSERT INTO queue.jobs (queue, kind, payload, state, run_at, timeout_ms, max_attempts, backoff_base_ms,
                                 backoff_cap_ms, keep_days, priority, enqueued_at)
         SELECT 'default', 'bench.noop', '{\"n\": 1}', 'scheduled',
                clock_timestamp() + interval '1 day' + random() * interval '365 days', 30000, 20, 10000, 21600000, 90,
                0, clock_timestamp()
         FROM generate_series($1::integer + 1, $2::integer)",
    )
    .bind(from)
    .bind(to)
    .execute(owner)
    .await
    .unwrap();
    sqlx::raw_sql("VACUUM (ANALYZE) queue.jobs").execute(owner).await.unwrap();
    sqlx::raw_sql("CHECKPOINT").execute(owner).await.unwrap();
}

/// Lets a worker burn a backlog down, and answers how many microseconds its claims took for each job.
async fn claims(db: &Database, owner: &PgPool) -> f64 {
    let mut conn = db.pool.acquire().await.unwrap();
    let jobs = (0..BURNT).map(|n| NewJob::of(&Noop { n }).unwrap()).collect();
    enqueue_all(&mut conn, &SystemClock, jobs).await.unwrap();
    sqlx::raw_sql("SELECT pg_stat_statements_reset()").execute(owner).await.unwrap();
    let shutdown = CancellationToken::new();
    let worker = Worker::builder(db.pool.clone(), Noop::QUEUE).concurrency(100).prefetch(900);
    let (left, all) = (Arc::new(AtomicUsize::new(BURNT)), Arc::new(Notify::new()));
    let (counted, last) = (Arc::clone(&left), Arc::clone(&all));
    let worker = tokio::spawn(worker.run(
        move |_: Claimed, _: CancellationToken| {
            if counted.fetch_sub(1, Ordering::Relaxed) == 1 {
                last.notify_one();
            }
            async { Outcome::Done(None) }
        },
        shutdown.clone(),
    ));
    all.notified().await;
    shutdown.cancel();
    worker.await.unwrap().unwrap();
    let (time, rows): (f64, i64) = sqlx::query_as(
        "SELECT sum(total_exec_time), sum(rows)::bigint FROM pg_stat_statements
         WHERE query LIKE 'WITH next AS MATERIALIZED%'",
    )
    .fetch_one(owner)
    .await
    .unwrap();
    assert_eq!(usize::try_from(rows).unwrap(), BURNT, "each job was claimed once");
    time * 1000.0 / f64::from(u32::try_from(rows).unwrap())
}
