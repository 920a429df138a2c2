//! What the dashboard costs over HTTP from the views, what the same figures cost reckoned anew, how long a refresh takes, and
//! whether the queue feels it. Run it with `cargo bench --workspace --bench dashboard`; `APPOINTMENTS=100000` makes it smaller.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

mod pick_up;
mod practices;
mod requests;
#[path = "../shared/mod.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of what they share")]
mod shared;

use std::time::{Duration, Instant};

use permanence_embedded::bench::BenchServer;

use self::shared::{figures::Figures, platform::Platform};

/// Requests by which a part is measured.
const REQUESTS: usize = 5_000;
/// The same of figures that are reckoned anew, which takes long.
const REQUESTS_LIVE: usize = 500;
/// How often a view is refreshed to be timed.
const REFRESHES: usize = 5;

#[tokio::main]
async fn main() {
    let appointments = std::env::var("APPOINTMENTS").map_or(1_000_000, |count| count.parse().unwrap());
    let server = BenchServer::start("dashboard").await.unwrap();
    let platform = Platform::start(&server, &["views"]).await;
    practices::fill(&platform.owner, appointments).await;
    platform.settle().await;
    println!(
        "{} · {} practices, {appointments} appointments, {} invoices",
        server.version().await.unwrap(),
        practices::PRACTICES,
        appointments / practices::APPOINTMENTS_FOR_AN_INVOICE
    );
    let first = platform.refresh_all().await;
    println!("first refresh of both views, by jobs of the pool: {:.1} s", first.as_secs_f64());
    let tokens = platform.sign_in().await;

    let one = requests::measure(&platform, &tokens, "overview", REQUESTS, 1).await;
    println!("GET /dashboard/overview, one client: {one}");
    let eight = requests::measure(&platform, &tokens, "overview", REQUESTS, 8).await;
    println!("… eight clients at once: {eight}");
    let history = requests::measure(&platform, &tokens, "history?from=2024&to=2026", REQUESTS, 1).await;
    println!("GET /dashboard/history of three years, one client: {history}");
    refreshes(&platform, &tokens).await;

    platform.refresh_all().await;
    let read = requests::revenues(&platform, &tokens).await;
    platform.reckon_live().await;
    assert_eq!(requests::revenues(&platform, &tokens).await, read, "the views tell what is reckoned anew");
    let live = requests::measure(&platform, &tokens, "overview", REQUESTS_LIVE, 1).await;
    println!("GET /dashboard/overview, the same figures reckoned anew, one client: {live}");
    let times = |p: fn(&Figures) -> Duration| p(&live).as_secs_f64() / p(&one).as_secs_f64();
    println!(
        "reckoned anew over read from the views: p50 × {:.0}, p95 × {:.0}",
        times(|f| f.p50),
        times(|f| f.p95)
    );
    platform.stop(&server).await;
    server.stop().await.unwrap();
}

/// Times refreshes, then has them run one after another beside requests and beside jobs of another queue.
async fn refreshes(platform: &Platform, tokens: &[String]) {
    let mut took = Vec::new();
    for _ in 0..REFRESHES {
        took.push(platform.refresh_all().await.as_secs_f64());
    }
    took.sort_unstable_by(f64::total_cmp);
    println!("refresh of both views, by jobs of the pool: {:.1} to {:.1} s", took[0], took[REFRESHES - 1]);
    for (view, seconds, rows) in platform.last_refreshes().await {
        println!("… {view}: {seconds:.1} s, {rows} rows");
    }
    let idle = pick_up::run(platform).await;
    println!("pick-up of another queue's jobs at {}/s, nothing beside: {idle}", pick_up::PER_SECOND);
    let beside = tokio::select! {
        never = platform.refresh_for_ever() => match never {},
        beside = pick_up::run(platform) => beside,
    };
    println!("… while one refresh follows another: {beside}");
    let begun = Instant::now();
    let beside = tokio::select! {
        never = platform.refresh_for_ever() => match never {},
        beside = requests::measure(platform, tokens, "overview", REQUESTS, 1) => beside,
    };
    println!(
        "GET /dashboard/overview while one refresh follows another ({:.0} s): {beside}",
        begun.elapsed().as_secs_f64()
    );
}
