//! What the queue can do, next to what Postgres itself can do with the same statements. Run it with
//! `cargo bench --workspace --bench queue`; name parts of it to run only those; `JOBS=20000` makes it shorter.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

mod burn_down;
mod crash;
mod enqueue;
mod flat;
mod held;
mod latency;
mod raw;
mod server;

use server::Server;
use sqlx::migrate::Migrator;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

#[tokio::main]
async fn main() {
    if crash::victim().await {
        return;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|w| w == part);
    let jobs = std::env::var("JOBS").map_or(200_000, |jobs| jobs.parse().unwrap());
    let server = Server::start().await;
    println!("{} · {} jobs · synchronous_commit on", server.version().await, jobs);
    if wants("raw") {
        raw::run(&server, jobs).await;
    }
    if wants("burn_down") {
        burn_down::run(&server, jobs).await;
    }
    if wants("enqueue") {
        enqueue::run(&server, jobs).await;
    }
    if wants("latency") {
        latency::run(&server).await;
    }
    if wants("held") {
        held::run(&server).await;
    }
    if wants("flat") {
        flat::run(&server).await;
    }
    if wants("crash") {
        crash::run(&server).await;
    }
    server.stop().await;
}
