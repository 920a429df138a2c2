//! How soon a job starts after its commit, when 300 a second arrive whether or not the queue keeps up.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use permanence_queue::{Claimed, Job, Listener, NewJob, Outcome, Waker, Worker, clock::SystemClock, enqueue};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::server::{Noop, Server};

pub(crate) const PER_SECOND: usize = 300;
pub(crate) const SECONDS: usize = 20;

/// How long jobs waited between their commit and their start.
pub(crate) struct PickUp {
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
    pub(crate) p99: Duration,
    pub(crate) most: Duration,
}

impl fmt::Display for PickUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p95, p99, most } = self;
        write!(f, "p50 {p50:.2?}, p95 {p95:.2?}, p99 {p99:.2?}, max {most:.2?}")
    }
}

pub(crate) async fn run(server: &Server) -> PickUp {
    let db = server.database().await;
    let (started, starts) = mpsc::unbounded_channel();
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
    let pick_up = open_loop(starts, |n| {
        let (pool, waker) = (db.pool.clone(), waker.clone());
        async move {
            let mut conn = pool.acquire().await.unwrap();
            enqueue(&mut conn, &SystemClock, NewJob::of(&Noop { n }).unwrap()).await.unwrap();
            let committed = Instant::now();
            waker.wake(Noop::QUEUE);
            committed
        }
    })
    .await;
    shutdown.cancel();
    worker.await.unwrap().unwrap();
    println!("pick-up at {PER_SECOND}/s: {pick_up}");
    pick_up
}

/// Has jobs enqueued on the beat, each told when it was committed, and hears when they start.
pub(crate) async fn open_loop<F>(
    mut starts: UnboundedReceiver<(usize, Instant)>,
    enqueue: impl Fn(usize) -> F,
) -> PickUp
where
    F: Future<Output = Instant> + Send + 'static,
{
    let jobs = PER_SECOND * SECONDS;
    let enqueued = Arc::new(Mutex::new(vec![None; jobs]));
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in 0..jobs {
        ticks.tick().await;
        let (committing, enqueued) = (enqueue(n), Arc::clone(&enqueued));
        tokio::spawn(async move {
            let committed = committing.await;
            enqueued.lock().unwrap()[n] = Some(committed);
        });
    }
    let mut waits = Vec::with_capacity(jobs);
    for _ in 0..jobs {
        let (n, start) = starts.recv().await.unwrap();
        // A job may start before its enqueuer hears of the commit.
        let committed = enqueued.lock().unwrap()[n].unwrap_or(start);
        waits.push(start.saturating_duration_since(committed));
    }
    waits.sort_unstable();
    let [p50, p95, p99] = [50, 95, 99].map(|p| waits[jobs * p / 100]);
    PickUp { p50, p95, p99, most: waits[jobs - 1] }
}
