//! How fast jobs are enqueued: thousands in one statement, and one in a transaction of its own.

use std::time::Instant;

use permanence_queue::{NewJob, clock::SystemClock, enqueue, enqueue_all};

use crate::server::{Database, Noop, Server, per_second};

/// Jobs in one statement.
pub(crate) const BATCH: usize = 5_000;
const SINGLE: usize = 5_000;
const CLIENTS: usize = 8;

pub(crate) async fn run(server: &Server, jobs: usize) {
    let db = server.database().await;
    bulk(&db, jobs).await;
    single(&db).await;
}

/// Tells how many jobs a second are enqueued.
pub(crate) async fn bulk(db: &Database, jobs: usize) -> u64 {
    let mut conn = db.pool.acquire().await.unwrap();
    let start = Instant::now();
    for first in (0..jobs).step_by(BATCH) {
        let batch = (first..jobs.min(first + BATCH)).map(|n| NewJob::of(&Noop { n }).unwrap()).collect();
        enqueue_all(&mut conn, &SystemClock, batch).await.unwrap();
    }
    let rate = per_second(jobs, start.elapsed());
    println!("bulk enqueue, {BATCH} at a time: {rate}/s");
    rate
}

async fn single(db: &Database) {
    for clients in [1, CLIENTS] {
        let start = Instant::now();
        let all = (0..clients).map(|_| {
            let pool = db.pool.clone();
            tokio::spawn(async move {
                let mut conn = pool.acquire().await.unwrap();
                for n in 0..SINGLE / clients {
                    enqueue(&mut conn, &SystemClock, NewJob::of(&Noop { n }).unwrap()).await.unwrap();
                }
            })
        });
        for client in all.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        println!("single enqueue, {clients} client(s): {}/s", per_second(SINGLE, start.elapsed()));
    }
}
