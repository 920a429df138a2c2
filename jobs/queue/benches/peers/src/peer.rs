//! What is asked of every peer, and how it is measured: the same for all, each at the best of its settings.

use std::{
    fmt::Display,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    latency::PickUp,
    server::{Database, Server, per_second},
};

/// A peer that needs longer than this for a backlog is stuck.
const LONGEST: Duration = Duration::from_mins(5);

/// A job queue in Postgres.
pub(crate) trait Peer {
    /// As its registry calls it, which is also how it is asked for.
    const NAME: &'static str;
    const LANGUAGE: &'static str;
    /// What it leaves of a completed job unless told otherwise.
    const KEEPS: &'static str;
    /// How many jobs are not completed.
    const LEFT: &'static str;
    /// How many are kept as completed; `None` where the completed are deleted.
    const KEPT: Option<&'static str>;
    /// A peer so slow that the run would take too long performs this part of the jobs.
    const PART: usize = 1;

    type Setting: Display;

    fn version() -> String;

    /// The settings that its documentation names for speed.
    fn settings() -> Vec<Self::Setting>;

    async fn set_up(db: &Database);

    /// Enqueues with its bulk producer, and tells how long it took.
    async fn enqueue(db: &Database, jobs: usize) -> Duration;

    /// Performs jobs that do nothing until told to stop.
    async fn work(db: &Database, setting: &Self::Setting, gauge: Arc<Gauge>, stop: CancellationToken);

    /// How soon jobs start; or why that is not measured.
    async fn pick_up(db: &Database) -> Result<PickUp, &'static str>;
}

/// The row of a peer.
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) setting: String,
    pub(crate) keeps: &'static str,
    pub(crate) jobs: usize,
    pub(crate) enqueued: u64,
    pub(crate) performed: u64,
    pub(crate) pick_up: Result<PickUp, &'static str>,
}

/// When the workers started, and how many jobs have run since.
#[derive(Default)]
pub(crate) struct Gauge {
    start: OnceLock<Instant>,
    runs: AtomicUsize,
}

impl Gauge {
    /// Called when all is ready and the first worker is about to claim.
    pub(crate) fn start(&self) {
        self.start.get_or_init(Instant::now);
    }

    pub(crate) fn ran(&self, jobs: usize) {
        self.runs.fetch_add(jobs, Ordering::Relaxed);
    }

    /// Waits until all have run and the database says that they are completed.
    async fn drained<P: Peer>(&self, db: &Database, jobs: usize) -> Duration {
        while self.runs.load(Ordering::Relaxed) < jobs {
            sleep(Duration::from_millis(1)).await;
        }
        loop {
            // What a statement sees was there when it began.
            let seen = Instant::now();
            if db.count(P::LEFT).await == 0 {
                return seen - *self.start.get().unwrap();
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) async fn measure<P: Peer>(server: &Server, jobs: usize) -> Figures {
    let jobs = jobs / P::PART;
    let (name, version) = (format!("{} ({})", P::NAME, P::LANGUAGE), P::version());
    let mut enqueued = 0;
    let mut best = (0, String::new());
    for setting in P::settings() {
        let db = server.empty().await;
        P::set_up(&db).await;
        let time = P::enqueue(&db, jobs).await;
        enqueued = enqueued.max(per_second(jobs, time));
        db.settle().await;
        let rate = per_second(jobs, burn_down::<P>(&db, &setting, jobs).await);
        println!("{name} {version}, {setting}: {rate}/s, enqueue {}/s", per_second(jobs, time));
        best = best.max((rate, setting.to_string()));
        server.discard(db).await;
    }
    let db = server.empty().await;
    P::set_up(&db).await;
    let pick_up = P::pick_up(&db).await;
    match &pick_up {
        Ok(pick_up) => println!("{name}, pick-up: {pick_up}"),
        Err(reason) => println!("{name}, pick-up: not measured, since {reason}"),
    }
    let (performed, setting) = best;
    Figures { name, version, setting, keeps: P::KEEPS, jobs, enqueued, performed, pick_up }
}

async fn burn_down<P: Peer>(db: &Database, setting: &P::Setting, jobs: usize) -> Duration {
    let (gauge, stop) = (Arc::new(Gauge::default()), CancellationToken::new());
    let watch = async {
        let time = timeout(LONGEST, gauge.drained::<P>(db, jobs)).await;
        stop.cancel();
        time.unwrap_or_else(|_| panic!("{} has not completed its jobs in {LONGEST:?}", P::NAME))
    };
    let ((), time) = tokio::join!(P::work(db, setting, Arc::clone(&gauge), stop.clone()), watch);
    if let Some(kept) = P::KEPT {
        assert_eq!(usize::try_from(db.count(kept).await).unwrap(), jobs, "{} lost jobs", P::NAME);
    }
    time
}

/// Connections of a worker's own, so that it does not queue behind producers.
pub(crate) fn another_pool(db: &Database) -> PgPool {
    PgPoolOptions::new().max_connections(20).connect_lazy_with(db.owner.clone())
}

/// The version of a crate, as the lock file has it.
pub(crate) fn locked_version(name: &str) -> String {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = include_str!("../Cargo.lock").split_once(&entry).unwrap();
    rest.split('"').next().unwrap().to_owned()
}
