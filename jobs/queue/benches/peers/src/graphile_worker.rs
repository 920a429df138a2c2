//! `graphile_worker`, in Rust: local queues and batched completion, as its guide and its own benchmark have them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_util::sync::CancellationToken;

use crate::{
    enqueue::BATCH,
    latency::{self, PickUp},
    peer::{Gauge, Peer, another_pool, locked_version},
    server::Database,
};

pub(crate) struct GraphileWorker;

pub(crate) struct Setting {
    concurrency: usize,
    queues: usize,
    size: usize,
    delay_ms: u64,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { concurrency, queues, size, delay_ms } = self;
        write!(f, "concurrency {concurrency}, {queues} × {size} local, completion batches of {delay_ms} ms")
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Noop {
    n: usize,
}

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(gauge) = ctx.get_ext::<Counted>() {
            gauge.0.ran(1);
        }
        if let Some(started) = ctx.get_ext::<Timed>() {
            // Nobody listens any more once all have started.
            let _ = started.0.send((self.n, Instant::now()));
        }
        Ok::<(), String>(())
    }
}

#[derive(Clone)]
struct Counted(Arc<Gauge>);

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

#[derive(Clone, Debug)]
struct Timed(UnboundedSender<(usize, Instant)>);

impl Peer for GraphileWorker {
    const NAME: &'static str = "graphile_worker";
    const LANGUAGE: &'static str = "Rust";
    const KEEPS: &'static str = "nothing";
    const LEFT: &'static str = "SELECT count(*) FROM graphile_worker._private_jobs";
    const KEPT: Option<&'static str> = None;

    type Setting = Setting;

    fn version() -> String {
        locked_version("graphile_worker")
    }

    fn settings() -> Vec<Setting> {
        [(500, 1, 5000, 5), (100, 2, 1000, 1), (24, 2, 1000, 1)]
            .map(|(concurrency, queues, size, delay_ms)| Setting { concurrency, queues, size, delay_ms })
            .into()
    }

    async fn set_up(db: &Database) {
        utils(db).await;
    }

    async fn enqueue(db: &Database, jobs: usize) -> Duration {
        let (utils, spec) = (utils(db).await, JobSpec::default());
        let start = Instant::now();
        for first in (0..jobs).step_by(BATCH) {
            let batch: Vec<_> = (first..jobs.min(first + BATCH)).map(|n| (Noop { n }, &spec)).collect();
            utils.add_jobs(&batch).await.unwrap();
        }
        start.elapsed()
    }

    async fn work(db: &Database, setting: &Setting, gauge: Arc<Gauge>, stop: CancellationToken) {
        let worker = options(db)
            .concurrency(setting.concurrency)
            .local_queue(LocalQueueConfig::default().with_size(setting.size).with_queue_count(setting.queues))
            .complete_job_batch_delay(Duration::from_millis(setting.delay_ms))
            .fail_job_batch_delay(Duration::from_millis(setting.delay_ms))
            .add_extension(Counted(Arc::clone(&gauge)))
            .init()
            .await
            .unwrap();
        let worker = Arc::new(worker);
        gauge.start();
        let running = tokio::spawn({
            let worker = Arc::clone(&worker);
            async move { worker.run().await }
        });
        stop.cancelled().await;
        worker.request_shutdown();
        running.await.unwrap().unwrap();
    }

    async fn pick_up(db: &Database) -> Result<PickUp, &'static str> {
        let (started, starts) = mpsc::unbounded_channel();
        let worker = WorkerOptions::default()
            .pg_pool(another_pool(db))
            .define_job::<Noop>()
            .concurrency(10)
            .add_extension(Timed(started))
            .init()
            .await
            .unwrap();
        let worker = Arc::new(worker);
        let running = tokio::spawn({
            let worker = Arc::clone(&worker);
            async move { worker.run().await }
        });
        let utils = Arc::new(utils(db).await);
        let pick_up = latency::open_loop(starts, |n| {
            let utils = Arc::clone(&utils);
            async move {
                utils.add_job(Noop { n }, JobSpec::default()).await.unwrap();
                Instant::now()
            }
        })
        .await;
        worker.request_shutdown();
        running.await.unwrap().unwrap();
        Ok(pick_up)
    }
}

fn options(db: &Database) -> WorkerOptions {
    WorkerOptions::default().pg_pool(db.pool.clone()).define_job::<Noop>()
}

/// The producer; asking for it also creates the tables.
async fn utils(db: &Database) -> WorkerUtils {
    options(db).init().await.unwrap().create_utils()
}
