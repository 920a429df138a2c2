//! How fast a backlog of no-op jobs is performed, each claimed, run, completed and kept in history.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use permanence_queue::{Claimed, Outcome, Worker};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::server::{Server, per_second};

/// Tells the best rate of jobs a second, and how it was reached.
pub(crate) async fn run(server: &Server, jobs: usize) -> (u64, String) {
    let mut best = (0, String::new());
    for workers in [1, 2] {
        let db = server.database().await;
        db.fill(jobs).await;
        let (performed, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let shutdown = CancellationToken::new();
        let start = Instant::now();
        let running: Vec<_> = (0..workers)
            .map(|_| {
                let (performed, all) = (Arc::clone(&performed), Arc::clone(&all));
                let worker = Worker::builder(db.pool.clone(), "default").concurrency(100);
                tokio::spawn(worker.run(
                    move |_: Claimed, _: CancellationToken| {
                        if performed.fetch_add(1, Ordering::Relaxed) + 1 == jobs {
                            all.notify_one();
                        }
                        async { Outcome::Done(None) }
                    },
                    shutdown.clone(),
                ))
            })
            .collect();
        all.notified().await;
        // The drain waits for the last completion to be stored.
        shutdown.cancel();
        for worker in running {
            worker.await.unwrap().unwrap();
        }
        let time = start.elapsed();
        let kept = db
            .count("SELECT count(*) FROM queue.job_history WHERE state = 'completed' AND attempt = 1")
            .await;
        assert_eq!(usize::try_from(kept).unwrap(), jobs);
        let (rate, setting) = (per_second(jobs, time), format!("{workers} worker(s) of 100"));
        println!("burn-down, {setting}: {rate}/s");
        best = best.max((rate, setting));
        server.discard(db).await;
    }
    best
}
