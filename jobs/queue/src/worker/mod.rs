//! Performs the jobs of one queue on apalis: claims, runs, settles, and drains when told to stop.

mod backend;
mod fetch;
mod flush;
mod hold;
mod pace;
mod perform;
mod pulse;
mod report;

use std::{future::Future, io, sync::Arc, time::Duration};

use apalis::{layers::WorkerBuilderExt, prelude::Monitor};
use sqlx::{PgPool, types::Uuid};
use tokio::time::{sleep, timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use self::{
    backend::QueueBackend, fetch::Fetcher, flush::Flusher, hold::Hold, perform::Perform, pulse::Pulse,
};
use crate::{
    Claimed, Error, Listener, Outcome, Waker,
    clock::{SharedClock, SystemClock},
    processes,
};

/// How long a stopping worker waits, after its grace, for a database that is away.
const LAST_FLUSH: Duration = Duration::from_secs(5);

/// Performs claimed jobs, whatever their kind.
///
/// A panic or a timeout is a failed attempt. A kind that is not known here is [`Outcome::Retry`] with
/// [`Failure::unknown_kind`](crate::Failure::unknown_kind).
pub trait Handler: Send + Sync + 'static {
    /// Performs one job. `cancelled` asks it to stop early: someone cancelled the job, or the lease was lost.
    fn perform(&self, job: Claimed, cancelled: CancellationToken) -> impl Future<Output = Outcome> + Send;
}

impl<F, Fut> Handler for F
where
    F: Fn(Claimed, CancellationToken) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send,
{
    fn perform(&self, job: Claimed, cancelled: CancellationToken) -> impl Future<Output = Outcome> + Send {
        self(job, cancelled)
    }
}

/// A worker of one queue; see [`Worker::builder`].
#[derive(Debug, Clone, Copy)]
pub struct Worker;

impl Worker {
    /// Prepares a worker of `queue`. The pool connects in the queue's role and serves nobody else: four
    /// connections are enough.
    pub fn builder(pool: PgPool, queue: &'static str) -> WorkerBuilder {
        WorkerBuilder {
            pool,
            config: Config {
                queue,
                host: host(),
                concurrency: 10,
                prefetch: None,
                clock: Arc::new(SystemClock),
                listener: None,
                waker: None,
                grace: Duration::from_secs(25),
                heartbeat: Duration::from_secs(3),
                dead_after: Duration::from_secs(10),
                poll_fastest: Duration::from_millis(50),
                poll_slowest: Duration::from_secs(1),
            },
        }
    }
}

/// How a worker works; the defaults suit jobs of a second or so.
#[derive(Debug, Clone)]
#[must_use = "a worker works once it is `run`"]
pub struct WorkerBuilder {
    pool: PgPool,
    config: Config,
}

#[derive(Debug, Clone)]
struct Config {
    queue: &'static str,
    host: String,
    concurrency: usize,
    prefetch: Option<usize>,
    clock: SharedClock,
    listener: Option<Listener>,
    waker: Option<Waker>,
    grace: Duration,
    heartbeat: Duration,
    dead_after: Duration,
    poll_fastest: Duration,
    poll_slowest: Duration,
}

impl WorkerBuilder {
    /// How many jobs run at a time: 10 unless said otherwise.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.config.concurrency = jobs.max(1);
        self
    }

    /// How many more jobs are claimed ahead; unless said otherwise as many as run within a tenth of a second, so
    /// that short jobs need not wait for round trips and long ones are left to whoever is free.
    pub fn prefetch(mut self, jobs: usize) -> Self {
        self.config.prefetch = Some(jobs);
        self
    }

    /// Where the time comes from.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.config.clock = clock;
        self
    }

    /// Claims at once when woken; without it the worker polls.
    pub fn listener(mut self, listener: Listener) -> Self {
        self.config.listener = Some(listener);
        self
    }

    /// Wakes other workers for the jobs that this one's jobs are followed by.
    pub fn waker(mut self, waker: Waker) -> Self {
        self.config.waker = Some(waker);
        self
    }

    /// How long running jobs may go on after the shutdown, before they are handed back: 25 s unless said otherwise.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self
    }

    /// How often the process shows that it lives, and after what silence it counts as dead: 3 s and 10 s.
    pub fn heartbeat(mut self, every: Duration, dead_after: Duration) -> Self {
        self.config.heartbeat = every;
        self.config.dead_after = dead_after;
        self
    }

    /// How often it looks for work nobody woke it for: from 50 ms when busy to 1 s when idle.
    pub fn poll(mut self, fastest: Duration, slowest: Duration) -> Self {
        self.config.poll_fastest = fastest;
        self.config.poll_slowest = slowest;
        self
    }

    /// Works until `shutdown`, then drains: claims no more, lets running jobs finish within the grace, and hands
    /// the rest back as if never claimed.
    pub async fn run<H: Handler>(self, handler: H, shutdown: CancellationToken) -> Result<(), Error> {
        let config = Arc::new(self.config);
        let Some(process) = register(&self.pool, &config, &shutdown).await else { return Ok(()) };
        let (hold, endings) = Hold::new(process);
        let hold = Arc::new(hold);

        // Each of these ends with this future: a worker that is dropped falls silent, and is rescued.
        let options = (*self.pool.connect_options()).clone();
        let _pulse = Pulse::start(options, Arc::clone(&config), Arc::clone(&hold))?;
        let flusher =
            Flusher { pool: self.pool.clone(), config: Arc::clone(&config), hold: Arc::clone(&hold) };
        let _flusher = AbortOnDropHandle::new(tokio::spawn(flusher.run(endings)));
        let fetcher = Fetcher::new(self.pool.clone(), Arc::clone(&config), Arc::clone(&hold));
        let mut fetcher = AbortOnDropHandle::new(tokio::spawn(fetcher.run(shutdown.clone())));

        let drained = async {
            shutdown.cancelled().await;
            // No claim may be on its way when apalis closes the backend.
            tokio::select! {
                _ = &mut fetcher => {}
                () = hold.force.cancelled() => {}
            }
            Ok::<(), io::Error>(())
        };
        tokio::select! {
            ended = monitor(&config, &hold, Arc::new(handler)).run_with_signal(drained) => {
                ended.map_err(|error| Error::Worker(error.to_string()))?;
            }
            () = lose_patience(&config, &hold, &shutdown) => {}
        }
        end(&self.pool, hold.process()).await;
        Ok(())
    }
}

fn monitor<H: Handler>(config: &Arc<Config>, hold: &Arc<Hold>, handler: Arc<H>) -> Monitor {
    let (config, hold) = (Arc::clone(config), Arc::clone(hold));
    Monitor::new()
        .register(move |_restarts| {
            apalis::prelude::WorkerBuilder::new(config.queue)
                .backend(QueueBackend { hold: Arc::clone(&hold) })
                .concurrency(config.concurrency)
                .build(Perform { handler: Arc::clone(&handler), hold: Arc::clone(&hold) })
        })
        .should_restart(|_, _| true)
}

/// Ends the grace, and later the wait for the database; never returns before the worker itself.
async fn lose_patience(config: &Config, hold: &Hold, shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    sleep(config.grace).await;
    hold.force.cancel();
    sleep(LAST_FLUSH).await;
    hold.give_up();
    std::future::pending::<()>().await;
}

/// Registers the process, however long the database is away; none if it is told to stop first.
async fn register(pool: &PgPool, config: &Config, shutdown: &CancellationToken) -> Option<Uuid> {
    let mut pause = Duration::from_millis(50);
    loop {
        let registered = tokio::select! {
            registered = processes::register(pool, config.queue, &config.host) => registered,
            () = shutdown.cancelled() => return None,
        };
        match registered {
            Ok(process) => return Some(process),
            Err(error) => tracing::warn!(%error, queue = config.queue, "cannot start yet"),
        }
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(Duration::from_secs(1)),
            () = shutdown.cancelled() => return None,
        }
    }
}

async fn end(pool: &PgPool, process: Uuid) {
    let ended = timeout(LAST_FLUSH, processes::end(pool, process)).await;
    if !matches!(ended, Ok(Ok(()))) {
        tracing::warn!("could not sign off; the rescuers will");
    }
}

fn host() -> String {
    std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}
