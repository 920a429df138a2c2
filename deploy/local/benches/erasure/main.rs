//! What being forgotten costs: one patient with a thousand rows, then a night with thousands of erasures, performed by two workers
//! while colleagues go on asking the API. Run it with `cargo bench --workspace --bench erasure`; `ERASURES=500` makes the night
//! shorter.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

mod due;
#[path = "../shared/mod.rs"]
#[allow(dead_code, reason = "each benchmark uses a part of what they share")]
mod shared;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use permanence_domain::{db::Actor, privacy::jobs::FindDueErasures};
use permanence_embedded::bench::BenchServer;
use permanence_queue::NewJob;

use self::shared::{
    figures::Figures,
    platform::Platform,
    practices::{Size, fill},
};

/// Practices, each with its part of the night.
const PRACTICES: i64 = 20;
/// Patients for each who is forgotten.
const PATIENTS_FOR_AN_ERASURE: i64 = 4;
/// How long the API is asked beforehand, with nothing beside.
const QUIET: Duration = Duration::from_secs(20);
/// Colleagues who ask at once, and how long each thinks before asking again.
const COLLEAGUES: usize = 10;
const THINKS: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() {
    // `cargo test --benches` runs benches too, to see that they run.
    let usual = if std::env::args().any(|argument| argument == "--bench") { 10_000 } else { 40 };
    let erasures: i64 = std::env::var("ERASURES").map_or(usual, |count| count.parse().unwrap());
    let server = BenchServer::start("erasure").await.unwrap();
    let platform = Platform::start(&server, &["privacy", "privacy"]).await;
    let patients = erasures / PRACTICES * PATIENTS_FOR_AN_ERASURE;
    let size = Size { practices: PRACTICES, patients, appointments: patients * 5, ahead: 0 };
    fill(&platform.owner_options, &platform.db, size).await;
    println!(
        "{} · {PRACTICES} practices, {patients} patients and {} appointments each",
        server.version().await.unwrap(),
        size.appointments
    );
    let one = due::of_many_rows(&platform).await;
    platform.settle().await;
    let took = night(&platform, 1).await;
    println!(
        "one patient with {} rows and {} objects, from the job to the certificate: {:.2} s",
        one.rows,
        one.objects,
        took.as_secs_f64()
    );

    let objects = due::of_practices(&platform, erasures / PRACTICES).await;
    platform.settle().await;
    let tokens = platform.sign_in().await;
    let quiet = asked(&platform, &tokens, async { tokio::time::sleep(QUIET).await }).await;
    println!("the API, asked by {COLLEAGUES} colleagues, nothing beside: {quiet}");
    let mut took = Duration::ZERO;
    let beside = asked(&platform, &tokens, async { took = night(&platform, erasures).await }).await;
    println!(
        "a night of {erasures} erasures with {objects} objects, two workers: {:.0} s ({:.1}/s), all certified",
        took.as_secs_f64(),
        f64::from(i32::try_from(erasures).unwrap()) / took.as_secs_f64()
    );
    println!("… the API meanwhile: {beside}");
    platform.stop(&server).await;
    server.stop().await.unwrap();
}

/// Does what a night does, and asserts that so many more are certified at its end.
async fn night(platform: &Platform, erasures: i64) -> Duration {
    let before = certified(platform).await;
    let begun = Instant::now();
    let mut tx = platform.db.system(Actor::JOB).await.unwrap();
    tx.enqueue(NewJob::of(&FindDueErasures {}).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    let open = "SELECT count(*) FROM patient_erasures WHERE status <> 'completed'";
    while sqlx::query_scalar::<_, i64>(open).fetch_one(&platform.owner).await.unwrap() > 0 {
        let dead = "SELECT count(*) FROM queue.job_history WHERE state = 'discarded'";
        assert_eq!(sqlx::query_scalar::<_, i64>(dead).fetch_one(&platform.owner).await.unwrap(), 0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    assert_eq!(certified(platform).await - before, erasures);
    took
}

async fn certified(platform: &Platform) -> i64 {
    sqlx::query_scalar("SELECT count(certificate) FROM patient_erasures")
        .fetch_one(&platform.owner)
        .await
        .unwrap()
}

/// How long the API takes to answer colleagues for as long as something goes on: the day, and a patient.
async fn asked(platform: &Platform, tokens: &[String], meanwhile: impl Future<Output = ()>) -> Figures {
    let over = AtomicBool::new(false);
    let colleague = async |number: usize| {
        let mut took = Vec::new();
        let mut turn = number;
        while !over.load(Ordering::Relaxed) {
            let page = ["appointments", "patients?search=garcia"][turn % 2];
            let url = format!("{}/api/v1/{page}", platform.base);
            let request = platform.http.get(url).bearer_auth(&tokens[turn % tokens.len()]);
            let begun = Instant::now();
            request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
            took.push(begun.elapsed());
            turn += 1;
            tokio::time::sleep(THINKS).await;
        }
        took
    };
    let colleagues = futures::future::join_all((0..COLLEAGUES).map(colleague));
    let ended = async {
        meanwhile.await;
        over.store(true, Ordering::Relaxed);
    };
    let (took, ()) = tokio::join!(colleagues, ended);
    Figures::of(took.into_iter().flatten().collect())
}
