//! `graphile-worker`, in Node: the settings of its page on performance, and larger ones.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    latency::PickUp,
    node,
    peer::{Gauge, Peer},
    server::Database,
};

const FILE: &str = "graphile-worker.mjs";

pub(crate) struct GraphileWorkerNode;

pub(crate) struct Setting {
    processes: usize,
    concurrency: usize,
    size: usize,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processes, concurrency, size } = self;
        write!(f, "{processes} process(es), concurrency {concurrency}, local queue {size}, batch delays 0")
    }
}

impl Peer for GraphileWorkerNode {
    const NAME: &'static str = "graphile-worker";
    const LANGUAGE: &'static str = "Node";
    const KEEPS: &'static str = "nothing";
    const LEFT: &'static str = "SELECT count(*) FROM graphile_worker._private_jobs";
    const KEPT: Option<&'static str> = None;

    type Setting = Setting;

    fn version() -> String {
        node::locked_version(Self::NAME)
    }

    fn settings() -> Vec<Setting> {
        [(1, 24, 500), (2, 24, 2000), (3, 24, 500)]
            .map(|(processes, concurrency, size)| Setting { processes, concurrency, size })
            .into()
    }

    // The producer creates the tables.
    async fn set_up(_: &Database) {}

    async fn enqueue(db: &Database, jobs: usize) -> Duration {
        node::enqueue(db, FILE, jobs).await
    }

    async fn work(db: &Database, setting: &Setting, gauge: Arc<Gauge>, stop: CancellationToken) {
        let settings = json!({
            "concurrentJobs": setting.concurrency,
            "localQueue": { "size": setting.size },
            "completeJobBatchDelay": 0,
            "failJobBatchDelay": 0,
            "getQueueNameBatchDelay": 0,
        });
        node::work(db, FILE, setting.processes, &settings, gauge, stop).await;
    }

    async fn pick_up(db: &Database) -> Result<PickUp, &'static str> {
        Ok(node::pick_up(db, FILE).await)
    }
}
