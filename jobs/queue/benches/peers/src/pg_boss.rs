//! `pg-boss`, in Node: large batches and several workers that are told at once to fetch again.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    latency::PickUp,
    node,
    peer::{Gauge, Peer},
    server::Database,
};

const FILE: &str = "pg-boss.mjs";

pub(crate) struct PgBoss;

pub(crate) struct Setting {
    processes: usize,
    workers: usize,
    batch: usize,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processes, workers, batch } = self;
        write!(f, "{processes} process(es), {workers} workers, batches of {batch}, notified")
    }
}

impl Peer for PgBoss {
    const NAME: &'static str = "pg-boss";
    const LANGUAGE: &'static str = "Node";
    const KEEPS: &'static str = "the jobs, 7 days";
    const LEFT: &'static str = "SELECT count(*) FROM pgboss.job WHERE name = 'noop' AND state <> 'completed'";
    const KEPT: Option<&'static str> =
        Some("SELECT count(*) FROM pgboss.job WHERE name = 'noop' AND state = 'completed'");

    type Setting = Setting;

    fn version() -> String {
        node::locked_version(Self::NAME)
    }

    fn settings() -> Vec<Setting> {
        [(1, 4, 2000), (1, 2, 5000), (2, 2, 5000)]
            .map(|(processes, workers, batch)| Setting { processes, workers, batch })
            .into()
    }

    // The producer creates the tables.
    async fn set_up(_: &Database) {}

    async fn enqueue(db: &Database, jobs: usize) -> Duration {
        node::enqueue(db, FILE, jobs).await
    }

    async fn work(db: &Database, setting: &Setting, gauge: Arc<Gauge>, stop: CancellationToken) {
        let settings = json!({ "workers": setting.workers, "batchSize": setting.batch });
        node::work(db, FILE, setting.processes, &settings, gauge, stop).await;
    }

    async fn pick_up(_: &Database) -> Result<PickUp, &'static str> {
        Err("it polls, every half second at the shortest, and does not listen")
    }
}
