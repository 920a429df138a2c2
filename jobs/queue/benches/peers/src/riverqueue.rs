//! `riverqueue`, in Rust: the shortest cooldown between fetches, and many workers, since a fetch takes as many jobs as
//! workers are free. Its completer batches by itself.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use riverqueue::{
    BoxError, Client, FETCH_COOLDOWN_MIN, InsertOpts, Job, JobArgs, QueueConfig, WorkContext, WorkOutcome,
    Workers, migrate::PostgresMigrator,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    enqueue::BATCH,
    latency::{self, PickUp},
    peer::{Gauge, Peer, another_pool, locked_version},
    server::Database,
};

pub(crate) struct Riverqueue;

pub(crate) struct Setting {
    workers: usize,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} workers, fetch cooldown {FETCH_COOLDOWN_MIN:?}", self.workers)
    }
}

#[derive(Clone, Debug, Deserialize, JobArgs, Serialize)]
#[river(kind = "noop")]
struct Noop {
    n: usize,
}

impl Peer for Riverqueue {
    const NAME: &'static str = "riverqueue";
    const LANGUAGE: &'static str = "Rust";
    const KEEPS: &'static str = "the jobs, 24 hours";
    const LEFT: &'static str = "SELECT count(*) FROM river_job WHERE state <> 'completed'";
    const KEPT: Option<&'static str> = Some("SELECT count(*) FROM river_job WHERE state = 'completed'");
    // It enqueues a row at a time.
    const PART: usize = 4;

    type Setting = Setting;

    fn version() -> String {
        locked_version("riverqueue")
    }

    fn settings() -> Vec<Setting> {
        [500, 2000, 5000].map(|workers| Setting { workers }).into()
    }

    async fn set_up(db: &Database) {
        PostgresMigrator::new(db.pool.clone()).migrate_up().await.unwrap();
    }

    async fn enqueue(db: &Database, jobs: usize) -> Duration {
        let client = Client::builder(db.pool.clone()).build().unwrap();
        let start = Instant::now();
        for first in (0..jobs).step_by(BATCH) {
            let batch = (first..jobs.min(first + BATCH)).map(|n| (Noop { n }, InsertOpts::default()));
            client.insert_many(batch).await.unwrap();
        }
        start.elapsed()
    }

    async fn work(db: &Database, setting: &Setting, gauge: Arc<Gauge>, stop: CancellationToken) {
        let counted = Arc::clone(&gauge);
        let client = client(db.pool.clone(), setting.workers, move |_| counted.ran(1));
        gauge.start();
        let mut running = client.start().unwrap();
        stop.cancelled().await;
        running.stop().await.unwrap();
    }

    async fn pick_up(db: &Database) -> Result<PickUp, &'static str> {
        let (started, starts) = mpsc::unbounded_channel();
        let client = client(another_pool(db), 10, move |n| {
            // Nobody listens any more once all have started.
            let _ = started.send((n, Instant::now()));
        });
        let mut running = client.start().unwrap();
        let producer = Client::builder(db.pool.clone()).fetch_cooldown(FETCH_COOLDOWN_MIN).build().unwrap();
        let pick_up = latency::open_loop(starts, |n| {
            let producer = producer.clone();
            async move {
                producer.insert(Noop { n }).await.unwrap();
                Instant::now()
            }
        })
        .await;
        running.stop().await.unwrap();
        Ok(pick_up)
    }
}

fn client(pool: PgPool, workers: usize, ran: impl Fn(usize) + Send + Sync + 'static) -> Client {
    let mut performing = Workers::new();
    performing
        .add_fn(move |_: WorkContext, job: Job<Noop>| {
            ran(job.args.n);
            async { Ok::<_, BoxError>(WorkOutcome::Complete) }
        })
        .unwrap();
    Client::builder(pool)
        .fetch_cooldown(FETCH_COOLDOWN_MIN)
        .workers(performing)
        .queue("default", QueueConfig::new(workers).with_fetch_poll_interval(Duration::from_millis(5)))
        .build()
        .unwrap()
}
