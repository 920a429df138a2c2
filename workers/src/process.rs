//! A worker process from configuration to drained end: the pools' binaries and the one-process platform use it.

use std::{error::Error, process::ExitCode, sync::Arc, time::Duration};

use permanence_domain::{
    clock::{SharedClock, SystemClock},
    config::Env,
    db::Db,
    signal,
    storage::Storage,
    telemetry::{self, LogFormat},
};
use permanence_queue::{Listener, Waker, Worker, connect_options};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Needs, WorkerConfig},
    registry::Registry,
    schedule,
    services::{Messaging, Services},
};

/// The pools, by the queue that each performs.
pub const POOLS: [&str; 6] = ["reminders", "invoices", "exports", "views", "stock", "privacy"];

/// How long a draining worker lets running jobs end before it hands them back.
const GRACE: Duration = Duration::from_secs(25);

/// What the jobs of a pool need. Whatever goes out to people leaves from `reminders`.
fn needs(pool: &str) -> Needs {
    Needs { messaging: pool == "reminders", storage: pool != "views", vault: pool == "privacy" }
}

/// A pool's process, whole: reads the environment, performs until told to end.
pub async fn pool(queue: &'static str) -> ExitCode {
    telemetry::init(LogFormat::Json);
    ended(run_pool(queue).await)
}

/// The scheduler's process, whole.
pub async fn scheduler() -> ExitCode {
    telemetry::init(LogFormat::Json);
    ended(run_scheduler().await)
}

fn ended(result: Result<(), Box<dyn Error + Send + Sync>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run_pool(queue: &'static str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = WorkerConfig::from_env(Env::of_process(), needs(queue))?;
    let (db, options) = open(&config)?;
    let messaging = config
        .messaging
        .as_ref()
        .map(|messaging| Messaging::new(messaging, db.clock().clone()))
        .transpose()?;
    let storage = config.storage.as_ref().map(Storage::new);
    let anchors = config.anchors.as_ref().map(Storage::new);
    let registry = Registry::new(Services {
        db: db.clone(),
        messaging,
        storage,
        anchors,
        vault: config.vault,
        signer: config.signer,
    });
    let listener = Listener::start(options.clone());
    tracing::info!(queue, "performing");
    let performing = perform(
        Pool {
            queue,
            jobs: job_connections(options),
            concurrency: config.concurrency,
            clock: db.clock().clone(),
            waker: db.waker().clone(),
            listener,
            shutdown: until_terminated(),
        },
        registry,
    );
    performing.await?;
    db.close().await;
    Ok(())
}

async fn run_scheduler() -> Result<(), Box<dyn Error + Send + Sync>> {
    let config =
        WorkerConfig::from_env(Env::of_process(), Needs { messaging: false, storage: false, vault: false })?;
    let (db, _) = open(&config)?;
    tracing::info!("scheduling");
    schedule::run(db.clone(), until_terminated()).await?;
    db.close().await;
    Ok(())
}

fn open(config: &WorkerConfig) -> Result<(Db, PgConnectOptions), Box<dyn Error + Send + Sync>> {
    if let Some(address) = config.metrics_listen {
        telemetry::prometheus()?.with_http_listener(address).install()?;
    }
    let clock: SharedClock = Arc::new(SystemClock);
    let options: PgConnectOptions = config.database.url.expose().parse()?;
    let db = Db::open(&config.database, clock, Waker::start(options.clone()))?;
    Ok((db, options))
}

fn until_terminated() -> CancellationToken {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        signal::terminated().await;
        token.cancel();
    });
    shutdown
}

/// The queue's own connections: few, and in the queue's role for their whole life.
pub fn job_connections(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(connect_options(options.application_name("permanence-queue")))
}

/// One pool of workers.
#[derive(Debug)]
pub struct Pool {
    /// The queue whose jobs it performs.
    pub queue: &'static str,
    /// See [`job_connections`].
    pub jobs: PgPool,
    /// Jobs at once.
    pub concurrency: usize,
    /// The clock by which jobs are due.
    pub clock: SharedClock,
    /// Wakes other workers for the jobs that these ones enqueue.
    pub waker: Waker,
    /// Hears of new jobs.
    pub listener: Listener,
    /// Ends it: no new job is claimed, those that run may finish.
    pub shutdown: CancellationToken,
}

/// Performs the pool's jobs until its shutdown, then drains.
pub async fn perform(pool: Pool, registry: Registry) -> Result<(), permanence_queue::Error> {
    Worker::builder(pool.jobs, pool.queue)
        .concurrency(pool.concurrency)
        .clock(pool.clock)
        .waker(pool.waker)
        .listener(pool.listener)
        .grace(GRACE)
        .run(registry, pool.shutdown)
        .await
}
