//! How soon jobs of another queue start, when they arrive whether or not the queue keeps up.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use permanence_domain::clock::SystemClock;
use permanence_queue::{Claimed, Job, Listener, NewJob, Outcome, Worker, enqueue};
use permanence_workers::process::job_connections;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::shared::{figures::Figures, platform::Platform};

pub(crate) const PER_SECOND: usize = 100;
const SECONDS: usize = 20;

/// Does nothing but start.
#[derive(Debug, Serialize, Deserialize)]
struct Start {
    n: usize,
}

impl Job for Start {
    const KIND: &'static str = "bench.start";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

pub(crate) async fn run(platform: &Platform) -> Figures {
    let (started, mut starts) = mpsc::unbounded_channel();
    let shutdown = CancellationToken::new();
    let worker = Worker::builder(job_connections(platform.login.clone()), Start::QUEUE)
        .concurrency(10)
        .listener(Listener::start(platform.login.clone()));
    let worker = tokio::spawn(worker.run(
        move |job: Claimed, _: CancellationToken| {
            // Nobody listens any more once all have started.
            let _ = started.send((job.decode::<Start>().unwrap().n, Instant::now()));
            async { Outcome::Done(None) }
        },
        shutdown.clone(),
    ));
    let jobs = PER_SECOND * SECONDS;
    let committed = Arc::new(Mutex::new(vec![None; jobs]));
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in 0..jobs {
        ticks.tick().await;
        let (pool, waker) = (platform.owner.clone(), platform.db.waker().clone());
        let committed = Arc::clone(&committed);
        tokio::spawn(async move {
            let mut conn = pool.acquire().await.unwrap();
            enqueue(&mut conn, &SystemClock, NewJob::of(&Start { n }).unwrap()).await.unwrap();
            committed.lock().unwrap()[n] = Some(Instant::now());
            waker.wake(Start::QUEUE);
        });
    }
    let mut waits = Vec::with_capacity(jobs);
    for _ in 0..jobs {
        let (n, start) = starts.recv().await.unwrap();
        // A job may start before its enqueuer hears of the commit.
        let committed = committed.lock().unwrap()[n].unwrap_or(start);
        waits.push(start.saturating_duration_since(committed));
    }
    shutdown.cancel();
    worker.await.unwrap().unwrap();
    Figures::of(waits)
}
