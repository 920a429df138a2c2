//! A month's end: all appointments of a month invoiced at once by the pool's real process, until the last PDF lies in the
//! store; how long it takes, and whether memory stays. Run it with `cargo bench --workspace --bench invoice_run`;
//! `APPOINTMENTS=1000` makes it shorter.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

#[allow(dead_code, reason = "each benchmark uses a part of what they share")]
mod shared;

use std::time::{Duration, Instant};

use permanence_domain::{
    billing::{self, InvoiceRun, NewInvoiceRun, NewService, RunStatus},
    field::{Day, FullName},
    ids::InvoiceRunId,
    tenants,
};
use serde_json::json;
use shared::Platform;

/// Forty practitioners, each appointment of a patient of its own, in October.
const MONTH: &str = "
    WITH who AS (
        INSERT INTO patients (tenant_id, id, first_name, last_name, sms_consent, email_consent, created_at, updated_at)
        SELECT $1, md5('p' || n)::uuid, 'Hélène', 'Garcia ' || n, false, false, now(), now()
        FROM generate_series(1, $2::integer) AS n
    ), whom AS (
        INSERT INTO practitioners (tenant_id, id, first_name, last_name, created_at, updated_at)
        SELECT $1, md5('d' || n)::uuid, 'Camille', 'Roy ' || n, now(), now() FROM generate_series(0, 39) AS n
    )
    INSERT INTO appointments (tenant_id, id, patient_id, practitioner_id, starts_at, ends_at, starts_local, time_zone,
                              created_at, updated_at)
    SELECT $1, md5('a' || n)::uuid, md5('p' || n)::uuid, md5('d' || n % 40)::uuid, at, at + interval '30 minutes',
           at AT TIME ZONE 'Europe/Paris', 'Europe/Paris', now(), now()
    FROM (SELECT n, timestamptz '2026-10-01 08:00Z' + n / 40 * interval '2 hours' AS at
          FROM generate_series(1, $2::integer) AS n) AS month";

async fn fill(platform: &Platform, appointments: i32) {
    let mut tx = platform.begin().await;
    let current = tenants::current_settings(&mut tx).await.unwrap();
    let mut document = serde_json::to_value(&current.settings).unwrap();
    document["billing"] = json!({
        "legal_name": "SELARL des Lilas",
        "address": { "line": "12 rue des Lilas", "postcode": "75019", "city": "Paris" },
        "siret": "73282932000074",
    });
    let settings = serde_json::from_value(document).unwrap();
    tenants::update_settings(&mut tx, current.version, &settings).await.unwrap();
    let service = NewService {
        name: FullName::parse("Séance").unwrap(),
        unit_price: 6000.try_into().unwrap(),
        vat: None,
        automatic: true,
        practitioner_id: None,
        minutes: None,
    };
    billing::add_service(&mut tx, &service).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query(MONTH).bind(platform.tenant.0).bind(appointments).execute(&platform.owner).await.unwrap();
    platform.database.settle().await.unwrap();
}

async fn begin_run(platform: &Platform) -> InvoiceRunId {
    let (from, to) = (Day::parse("2026-10-01").unwrap(), Day::parse("2026-10-31").unwrap());
    let mut tx = platform.begin().await;
    let run = billing::start_run(&mut tx, &NewInvoiceRun { from, to, practitioner_id: None }).await.unwrap();
    tx.commit().await.unwrap();
    run.id
}

async fn told(platform: &Platform, id: InvoiceRunId) -> InvoiceRun {
    let mut tx = platform.begin().await;
    billing::get_run(&mut tx, id).await.unwrap()
}

async fn papers(platform: &Platform) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM invoice_papers").fetch_one(&platform.owner).await.unwrap()
}

#[tokio::main]
async fn main() {
    // `cargo test --benches` runs benches too, to see that they run.
    let usual = if std::env::args().any(|argument| argument == "--bench") { 10_000 } else { 50 };
    let appointments = std::env::var("APPOINTMENTS").map_or(usual, |count| count.parse().unwrap());
    let platform = Platform::start("invoice-run").await;
    println!("{} · {appointments} appointments · synchronous_commit on", platform.version().await);
    fill(&platform, appointments).await;
    let worker = platform.process(&[env!("CARGO_BIN_EXE_invoices")]);
    let begun = Instant::now();
    let id = begin_run(&platform).await;
    println!("the run is begun after {:.2} s", begun.elapsed().as_secs_f64());
    let mut ended = None;
    let mut next = 1;
    loop {
        let made = papers(&platform).await;
        if made * 5 >= i64::from(appointments) * next {
            let (seconds, memory) = (begun.elapsed().as_secs_f64(), worker.resident_mib());
            println!("{made} PDFs after {seconds:.1} s, the worker holds {memory:.1} MiB");
            next = made * 5 / i64::from(appointments) + 1;
        }
        if ended.is_none() && told(&platform, id).await.status == RunStatus::Ended {
            ended = Some(begun.elapsed().as_secs_f64());
        }
        if made == i64::from(appointments) && ended.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let all = begun.elapsed().as_secs_f64();
    let (first, last, numbers): (String, String, i64) =
        sqlx::query_as("SELECT min(number), max(number), count(DISTINCT number) FROM invoices")
            .fetch_one(&platform.owner)
            .await
            .unwrap();
    let run = told(&platform, id).await;
    assert_eq!((numbers, run.issued, run.failed), (i64::from(appointments), i64::from(appointments), 0));
    assert!(
        last.ends_with(&format!("{appointments:06}")) && first.ends_with("000001"),
        "{first} … {last}: a gap"
    );
    println!(
        "{numbers} invoices, {first} to {last}, issued after {:.1} s, all drawn after {all:.1} s ({:.0}/s, two transactions \
         and a PDF each); the worker computed {:.1} s and held {:.1} MiB at most",
        ended.unwrap_or_default(),
        f64::from(appointments) / all,
        worker.cpu_seconds(),
        worker.peak_mib()
    );
    let again = begin_run(&platform).await;
    assert_eq!(told(&platform, again).await.total, 0, "run again, nothing is left");
    worker.stop();
    platform.stop().await;
}
