//! `apalis-postgres`, in Rust: large batches, no separate lock of each job and a heartbeat a second, as its example has it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use apalis::prelude::{BackendExt, BoxDynError, Data, TaskSink, WorkerBuilder, WorkerError};
use apalis_postgres::{Config, PostgresStorage};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_util::sync::CancellationToken;

use crate::{
    enqueue::BATCH,
    latency::{self, PickUp},
    peer::{Gauge, Peer, another_pool, locked_version},
    server::Database,
};

/// Its listener alone may sleep over notifications until the next heartbeat: what is ready when a fetch ends empty wakes
/// nobody. Polls, longer than a fetch takes, bound that.
const POLL: Duration = Duration::from_millis(50);

pub(crate) struct Apalis;

pub(crate) struct Setting {
    workers: usize,
    batch: usize,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} worker(s), batches of {}, no lock of each job", self.workers, self.batch)
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Noop {
    n: usize,
}

impl Peer for Apalis {
    const NAME: &'static str = "apalis-postgres";
    const LANGUAGE: &'static str = "Rust";
    const KEEPS: &'static str = "the jobs, for ever";
    const LEFT: &'static str = "SELECT count(*) FROM apalis.jobs WHERE status <> 'Done'";
    const KEPT: Option<&'static str> = Some("SELECT count(*) FROM apalis.jobs WHERE status = 'Done'");
    const PART: usize = 4;

    type Setting = Setting;

    fn version() -> String {
        locked_version("apalis-postgres")
    }

    fn settings() -> Vec<Setting> {
        [(1, 500), (2, 500), (2, 2000)].map(|(workers, batch)| Setting { workers, batch }).into()
    }

    async fn set_up(db: &Database) {
        PostgresStorage::setup(&db.pool).await.unwrap();
    }

    async fn enqueue(db: &Database, jobs: usize) -> Duration {
        let mut storage = storage(&db.pool, BATCH);
        let start = Instant::now();
        for first in (0..jobs).step_by(BATCH) {
            let batch = (first..jobs.min(first + BATCH)).map(|n| Noop { n }).collect();
            storage.push_bulk(batch).await.unwrap();
        }
        start.elapsed()
    }

    async fn work(db: &Database, setting: &Setting, gauge: Arc<Gauge>, stop: CancellationToken) {
        async fn perform(_: Noop, gauge: Data<Arc<Gauge>>) -> Result<(), BoxDynError> {
            gauge.ran(1);
            Ok(())
        }
        gauge.start();
        let running = join_all((0..setting.workers).map(|n| {
            let worker = WorkerBuilder::new(format!("noop-{n}"))
                .backend(storage(&db.pool, setting.batch))
                .data(Arc::clone(&gauge))
                .build(perform);
            tokio::spawn(worker.run_until(stopped(stop.clone())))
        }));
        for worker in running.await {
            worker.unwrap().unwrap();
        }
    }

    async fn pick_up(db: &Database) -> Result<PickUp, &'static str> {
        async fn perform(
            job: Noop,
            started: Data<UnboundedSender<(usize, Instant)>>,
        ) -> Result<(), BoxDynError> {
            // Nobody listens any more once all have started.
            let _ = started.send((job.n, Instant::now()));
            Ok(())
        }
        let (started, starts) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let worker = WorkerBuilder::new("noop")
            .backend(storage(&another_pool(db), 100).with_pubsub().poll_with_interval(POLL))
            .data(started)
            .build(perform);
        let running = tokio::spawn(worker.run_until(stopped(stop.clone())));
        let storage = storage(&db.pool, 100);
        let pick_up = latency::open_loop(starts, |n| {
            let mut storage = storage.clone();
            async move {
                storage.push(Noop { n }).await.unwrap();
                Instant::now()
            }
        })
        .await;
        stop.cancel();
        running.await.unwrap().unwrap();
        Ok(pick_up)
    }
}

fn storage(pool: &PgPool, batch: usize) -> PostgresStorage<Noop> {
    let config = Config::default()
        .queue("noop")
        .batch_size(batch)
        .lock_tasks(false)
        .heartbeat_interval(Duration::from_secs(1))
        .missed_heartbeats(10);
    PostgresStorage::new(pool).with_config(config)
}

async fn stopped(stop: CancellationToken) -> Result<(), WorkerError> {
    stop.cancelled().await;
    Ok(())
}
