//! Our queue next to others in Postgres, in one run against one server: docs/BENCHMARKS.md says by which rules. Name peers
//! to run only those; `JOBS=20000` makes it shorter.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

mod apalis;
mod graphile_worker;
mod graphile_worker_node;
mod node;
mod peer;
mod pg_boss;
mod riverqueue;
mod table;

// How our queue is measured is the same as in its own benchmark.
#[path = "../../queue/burn_down.rs"]
mod burn_down;
#[expect(dead_code, reason = "jobs enqueued one by one are for the queue's own benchmark")]
#[path = "../../queue/enqueue.rs"]
mod enqueue;
#[path = "../../queue/latency.rs"]
mod latency;
#[path = "../../queue/raw.rs"]
mod raw;
#[path = "../../queue/server.rs"]
mod server;

use peer::{Figures, Peer, measure};
use server::Server;
use sqlx::migrate::Migrator;

static MIGRATOR: Migrator = sqlx::migrate!("../../../../migrations");

const OURS: &str = "permanence-queue";
const RAW: &str = "raw";
const NAMES: [&str; 7] = [
    RAW,
    OURS,
    graphile_worker::GraphileWorker::NAME,
    riverqueue::Riverqueue::NAME,
    apalis::Apalis::NAME,
    graphile_worker_node::GraphileWorkerNode::NAME,
    pg_boss::PgBoss::NAME,
];

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !NAMES.contains(&name.as_str())) {
        println!("there is no `{unknown}`; there are {}", NAMES.join(", "));
        std::process::exit(2);
    }
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let jobs = std::env::var("JOBS").map_or(200_000, |jobs| jobs.parse().unwrap());
    let server = Server::start().await;
    let wants_node = wants(graphile_worker_node::GraphileWorkerNode::NAME) || wants(pg_boss::PgBoss::NAME);
    let node = if wants_node { node::ready().await } else { Err("not asked for".into()) };

    let raw = if wants(RAW) { Some(raw::run(&server, jobs).await) } else { None };
    let ours = if wants(OURS) { Some(ours(&server, jobs).await) } else { None };
    let mut peers = Vec::new();
    macro_rules! row {
        ($peer:ty, $possible:expr) => {
            if wants(<$peer>::NAME) && $possible {
                peers.push(measure::<$peer>(&server, jobs).await);
            }
        };
    }
    row!(graphile_worker::GraphileWorker, true);
    row!(riverqueue::Riverqueue, true);
    row!(apalis::Apalis, true);
    row!(graphile_worker_node::GraphileWorkerNode, node.is_ok());
    row!(pg_boss::PgBoss, node.is_ok());

    table::print(ours.as_ref(), &peers, raw.as_ref());
    table::print_surroundings(&server, &node).await;
    server.stop().await;
}

async fn ours(server: &Server, jobs: usize) -> Figures {
    let db = server.database().await;
    let enqueued = enqueue::bulk(&db, jobs).await;
    server.discard(db).await;
    let (performed, setting) = burn_down::run(server, jobs).await;
    Figures {
        name: OURS.into(),
        version: peer::locked_version(OURS),
        setting,
        keeps: "history, by kind",
        jobs,
        enqueued,
        performed,
        pick_up: Ok(latency::run(server).await),
    }
}
