//! How soon a job starts after its commit, when 300 a second arrive whether or not the queue keeps up.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use permanence_queue::{Claimed, Job, Listener, NewJob, Outcome, Waker, Worker, clock::SystemClock, enqueue};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::server::{Noop, Server};

const PER_SECOND: usize = 300;
const SECONDS: usize = 20;

pub(crate) async fn run(server: &Server) {
    let db = server.database().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let shutdown = CancellationToken::new();
    let worker = Worker::builder(db.pool.clone(), Noop::QUEUE)
        .concurrency(10)
        .listener(Listener::start(db.owner.clone()));
    let worker = tokio::spawn(worker.run(
        move |job: Claimed, _: CancellationToken| {
            // Nobody listens any more once all have started.
            let _ = started.send((job.decode::<Noop>().unwrap().n, Instant::now()));
            async { Outcome::Done(None) }
        },
        shutdown.clone(),
    ));
    let waker = Waker::start(db.owner.clone());
    let jobs = PER_SECOND * SECONDS;
    let enqueued = Arc::new(std::sync::Mutex::new(vec![None; jobs]));
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in 0..jobs {
        ticks.tick().await;
        let (pool, waker, enqueued) = (db.pool.clone(), waker.clone(), Arc::clone(&enqueued));
        tokio::spawn(async move {
            let mut conn = pool.acquire().await.unwrap();
            enqueue(&mut conn, &SystemClock, NewJob::of(&Noop { n }).unwrap()).await.unwrap();
            enqueued.lock().unwrap()[n] = Some(Instant::now());
            waker.wake(Noop::QUEUE);
        });
    }
    let mut waits = Vec::with_capacity(jobs);
    for _ in 0..jobs {
        let (n, start) = starts.recv().await.unwrap();
        // A job may start before its enqueuer hears of the commit.
        let committed = enqueued.lock().unwrap()[n].unwrap_or(start);
        waits.push(start.saturating_duration_since(committed));
    }
    shutdown.cancel();
    worker.await.unwrap().unwrap();
    waits.sort_unstable();
    let [p50, p95, p99] = [50, 95, 99].map(|p| waits[jobs * p / 100]);
    let most = waits[jobs - 1];
    println!("pick-up at {PER_SECOND}/s: p50 {p50:.2?}, p95 {p95:.2?}, p99 {p99:.2?}, max {most:.2?}");
}
