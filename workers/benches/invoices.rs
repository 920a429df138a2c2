//! How many two-page invoices, each with its Factur-X, one core makes in a second, how large they are and whether memory
//! stays: `cargo bench --workspace --bench invoices`. Prints figures and asserts none; docs/BENCHMARKS.md has those of a day.

#[path = "../tests/papers/documents.rs"]
mod documents;

use std::time::{Duration, Instant};

use permanence_domain::billing::Document;
use permanence_workers::billing;

/// Documents that are made to warm up, and to see how memory goes on from there.
const WARM: u64 = 500;
/// Documents that are measured.
const MEASURED: u64 = 10_000;

/// Two pages, and no two alike.
fn invoice(number: u64) -> Document {
    let mut document = documents::company();
    document.number = format!("F2026-{number:05}");
    document.buyer.name = format!("Ateliers Mécaniques n° {number} du Rhin SAS");
    for turn in 0..10 {
        let price = i64::try_from((number * 7_919 + turn * 104_729) % 50_000).unwrap_or_default();
        let name = format!("Séance collective {turn}, groupe {}", number % 37);
        document.lines.push(documents::line(&name, 1_000, price, documents::CARE));
    }
    documents::total(&mut document, 0);
    document
}

/// Makes so many from `first` on and says how long each took.
fn make(first: u64, count: u64, logo: Option<&[u8]>) -> (Vec<Duration>, usize) {
    let (mut times, mut bytes) = (Vec::new(), 0);
    for number in first..first + count {
        let document = invoice(number);
        let start = Instant::now();
        bytes += billing::render(&document, logo).map_or(0, |pdf| pdf.len());
        times.push(start.elapsed());
    }
    times.sort();
    (times, bytes)
}

/// Resident memory, KiB.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or("unknown".to_owned(), |line| line.trim().to_owned())
}

#[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a bench prints its figures")]
fn report(name: &str, times: &[Duration], bytes: usize) {
    let total: Duration = times.iter().sum();
    let count = times.len();
    println!(
        "{name}: {:.0}/s, median {:.2} ms, p99 {:.2} ms, {:.1} KiB each, resident {}",
        count as f64 / total.as_secs_f64(),
        times[count / 2].as_secs_f64() * 1e3,
        times[count * 99 / 100].as_secs_f64() * 1e3,
        bytes as f64 / count as f64 / 1024.0,
        resident(),
    );
}

fn main() {
    // `cargo test --benches` runs benches too, to see that they run.
    let (warm, measured) =
        if std::env::args().any(|argument| argument == "--bench") { (WARM, MEASURED) } else { (1, 1) };
    let logo: &[u8] = include_bytes!("../tests/papers/logo.png");
    let (times, bytes) = make(0, warm, None);
    report("warming up", &times, bytes);
    let (times, bytes) = make(warm, measured, None);
    report("two pages", &times, bytes);
    for (name, document) in documents::named() {
        let start = Instant::now();
        let bytes = billing::render(&document, None).map_or(0, |pdf| pdf.len());
        report(name, &[start.elapsed()], bytes);
    }
    let (times, bytes) = make(warm + measured, measured / 10 + 1, Some(logo));
    report("with a logo", &times, bytes);
}
