//! How fast a large practice's patients become an archive in the object store, and in how much memory: the pool's real
//! binary on one core, next to what Postgres and the compression alone take for the same rows. Run it with
//! `cargo bench --workspace --bench exports`; `ROWS=100000` makes it shorter, `RUNS=1` too.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

mod alone;
mod practice;
#[allow(dead_code, reason = "each benchmark uses a part of what they share")]
#[path = "../shared/mod.rs"]
mod shared;

use practice::Bench;

/// What is promised.
const ROWS_PER_SECOND: f64 = 150_000.0;
const MEMORY_MIB: f64 = 64.0;

#[tokio::main]
async fn main() {
    let number = |name: &str, default: i64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (rows, runs) = (number("ROWS", 1_000_000), number("RUNS", 3));
    let bench = Bench::start(rows).await;
    println!("{} · {rows} patients · CSV in ZIP", bench.platform.version().await);
    let mut best: f64 = 0.0;
    let mut most: f64 = 0.0;
    for run in 0..runs {
        let worker = bench.worker().await;
        let idle = worker.peak_mib();
        let used = worker.cpu_seconds();
        let (seconds, bytes) = bench.export(run).await;
        let cpu = worker.cpu_seconds() - used;
        let above = worker.peak_mib() - idle;
        worker.stop();
        let (rate, per_cpu) = (per_second(rows, seconds), per_second(rows, cpu));
        println!(
            "export on one core: {rate:.0} rows/s ({seconds:.2} s; {cpu:.2} s of processor, {per_cpu:.0} rows/s of it), \
             {above:.1} MiB above {idle:.1} idle, file of {:.1} MB",
            mega(bytes)
        );
        best = best.max(rate);
        most = most.max(above);
    }
    alone::run(&bench, rows).await;
    let told = |met| if met { "met" } else { "missed" };
    println!("bar {ROWS_PER_SECOND:.0} rows/s: {}, best {best:.0}", told(best >= ROWS_PER_SECOND));
    bench.platform.stop().await;
    println!("bar {MEMORY_MIB:.0} MiB above idle: {}, most {most:.1}", told(most <= MEMORY_MIB));
}

/// Rows a second.
fn per_second(rows: i64, seconds: f64) -> f64 {
    f64::from(i32::try_from(rows).unwrap()) / seconds
}

/// Millions of bytes.
fn mega(bytes: i64) -> f64 {
    f64::from(i32::try_from(bytes / 1_000).unwrap()) / 1_000.0
}
