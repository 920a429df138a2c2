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

/// A queue and the pool that performs it.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// Its name.
    pub name: &'static str,
    /// The pool.
    pub pool: &'static str,
    /// The most jobs that a process performs at once, whatever is configured; `None` where that alone counts.
    pub at_once: Option<usize>,
}

/// All queues that this release performs. Erasures wait in one of their own, for a night may have thousands: one after the other
/// in each process, they take no place from the audit trail's seals and leave the database to those who work.
pub const QUEUES: [Queue; 8] = [
    of("reminders", "reminders", None),
    of("invoices", "invoices", None),
    of("exports", "exports", None),
    of("views", "views", None),
    of("stock", "stock", None),
    of("privacy", "privacy", None),
    of("erasures", "privacy", Some(1)),
    of("backups", "backups", Some(1)),
];

const fn of(name: &'static str, pool: &'static str, at_once: Option<usize>) -> Queue {
    Queue { name, pool, at_once }
}

impl Queue {
    /// How many jobs at once, where so many are configured.
    #[must_use]
    pub fn concurrency(&self, configured: usize) -> usize {
        self.at_once.map_or(configured, |most| most.min(configured))
    }
}

/// How long a draining worker lets running jobs end before it hands them back.
const GRACE: Duration = Duration::from_secs(25);

/// What the jobs of a pool need. Whatever goes out to people leaves from `reminders`.
fn needs(pool: &str) -> Needs {
    Needs {
        messaging: pool == "reminders",
        storage: pool != "views",
        vault: pool == "privacy",
        backup: pool == "backups",
    }
}

/// A pool's process, whole: reads the environment, performs until told to end.
pub async fn pool(pool: &'static str) -> ExitCode {
    ended(&format!("permanence-{pool}"), run_pool(pool)).await
}

/// The scheduler's process, whole.
pub async fn scheduler() -> ExitCode {
    ended("permanence-scheduler", run_scheduler()).await
}

async fn ended(
    service: &str,
    running: impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>>,
) -> ExitCode {
    let telemetry = telemetry::init(LogFormat::Json, service);
    let code = match running.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    };
    telemetry.end().await;
    code
}

async fn run_pool(pool: &'static str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = WorkerConfig::from_env(Env::of_process(), needs(pool))?;
    let (db, options) = open(&config)?;
    let messaging = config
        .messaging
        .as_ref()
        .map(|messaging| Messaging::new(messaging, db.clock().clone()))
        .transpose()?;
    let storage = config.storage.as_ref().map(Storage::new);
    let anchors = config.anchors.as_ref().map(Storage::new);
    let backups = config.backups.as_ref().map(Storage::new);
    let registry = Registry::new(Services {
        db: db.clone(),
        messaging,
        storage,
        anchors,
        backups,
        backup: config.backup,
        vault: config.vault,
        signer: config.signer,
    });
    let (jobs, listener) = (job_connections(options.clone()), Listener::start(options));
    let shutdown = until_terminated();
    tracing::info!(pool, "performing");
    let performing = QUEUES.iter().filter(|queue| queue.pool == pool).map(|queue| {
        let pool = Pool {
            queue: queue.name,
            jobs: jobs.clone(),
            concurrency: queue.concurrency(config.concurrency),
            clock: db.clock().clone(),
            waker: db.waker().clone(),
            listener: listener.clone(),
            shutdown: shutdown.clone(),
        };
        perform(pool, registry.clone())
    });
    futures::future::try_join_all(performing).await?;
    db.close().await;
    Ok(())
}

async fn run_scheduler() -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = WorkerConfig::from_env(Env::of_process(), Needs::default())?;
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

/// The workers of a queue in a process.
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
