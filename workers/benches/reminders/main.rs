//! What the reminders of a large platform cost: a burst, a quiet stream, and the planning of a booking. Run it with
//! `cargo bench --workspace --bench reminders`; name parts of it (`burst`, `stream`, `plan`) to run only those;
//! `REMINDERS=10000` makes it shorter.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

mod burst;
mod plan;
mod platform;
mod practice;
mod stream;

use permanence_embedded::bench::BenchServer;

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|w| w == part);
    let reminders = std::env::var("REMINDERS").map_or(100_000, |count| count.parse().unwrap());
    let server = BenchServer::start("reminders").await.unwrap();
    println!("{} · {reminders} reminders · synchronous_commit on", server.version().await.unwrap());
    if wants("burst") {
        burst::run(&server, reminders).await;
    }
    if wants("stream") {
        stream::run(&server).await;
    }
    if wants("plan") {
        plan::run(&server, reminders * 10).await;
    }
    server.stop().await.unwrap();
}

/// The value below which this share of the sorted values lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = f64::from(u32::try_from(sorted.len() - 1).unwrap());
    let place: usize = format!("{:.0}", last * share).parse().unwrap();
    sorted[place]
}
