//! What an import costs by the pool's real process, how much memory it takes above what it holds when idle, and what a page of the stock costs afterwards.
//! Run it with `cargo bench --workspace --bench stock`; `LINES=1000000` makes the file longer.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

#[allow(dead_code, reason = "each benchmark uses a part of what they share")]
mod shared;

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use permanence_domain::{
    field::Flag,
    ids::ImportId,
    inventory::{
        OverviewQuery,
        import::{Import, ImportMode, ImportOptions, ImportStatus, Mapping, get_import, request_import},
        overview, watch,
    },
    storage::ObjectKey,
};
use shared::Platform;

/// Lines of nine columns; each fifth has a lot.
fn file(lines: usize) -> Vec<u8> {
    let mut file = String::from(
        "Référence;Désignation;Quantité;Unité;Prix;Fournisseur;Seuil;Lot;Date de péremption\r\n",
    );
    for number in 0..lines {
        let lot = if number.is_multiple_of(5) { "L-2291;31/12/2027" } else { ";" };
        write!(
            file,
            "REF-{number:07};Compresses stériles n° {number};{},5;boîte;12,{:02};Médistore;10;{lot}\r\n",
            number % 100,
            number % 100
        )
        .unwrap();
    }
    file.into_bytes()
}

async fn import(platform: &Platform, file: &[u8], mode: ImportMode, dry_run: bool) -> (Import, Duration) {
    let object = ObjectKey::of("imports", platform.tenant, &format!("{}.csv", uuid::Uuid::new_v4())).unwrap();
    platform.storage().put(&object, "text/csv", file.to_vec()).await.unwrap();
    let dry_run = Flag::parse(&dry_run.to_string()).unwrap();
    let options = ImportOptions { mode, dry_run, mapping: Mapping::default() };
    let mut tx = platform.begin().await;
    let id: ImportId = request_import(&mut tx, &options, &object, 0).await.unwrap().id;
    let begun = Instant::now();
    tx.commit().await.unwrap();
    loop {
        let mut tx = platform.begin().await;
        let import = get_import(&mut tx, id).await.unwrap();
        if import.status != ImportStatus::Waiting {
            return (import, begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::main]
async fn main() {
    let lines = std::env::var("LINES").map_or(100_000, |count| count.parse().unwrap());
    let platform = Platform::start("stock").await;
    let file = file(lines);
    println!(
        "{} · {lines} lines, {} MB · synchronous_commit on",
        platform.version().await,
        file.len() / 1_000_000
    );
    let worker = platform.process(&[env!("CARGO_BIN_EXE_stock")]);
    // The process is up once it has done something.
    import(&platform, b"Ref;Nom\nA;B\n", ImportMode::Describe, true).await;
    let idle = worker.resident_mib();
    for (what, mode, dry_run) in [
        ("dry run", ImportMode::Receive, true),
        ("all new", ImportMode::Receive, false),
        ("all known, delivered again", ImportMode::Receive, false),
        ("all known, counted", ImportMode::Count, false),
    ] {
        let before = worker.cpu_seconds();
        let (import, took) = import(&platform, &file, mode, dry_run).await;
        let (computed, peak) = (worker.cpu_seconds() - before, worker.peak_mib() - idle);
        println!(
            "import, {what}: {:.1} s, {:?}, {:?} created, {:?} updated, {:?} movements; the worker computed {computed:.1} s \
             and held until now {peak:.0} MiB at most above its {idle:.0} MiB",
            took.as_secs_f64(),
            import.status,
            import.created,
            import.updated,
            import.movements
        );
    }
    let begun = Instant::now();
    let mut tx = platform.begin().await;
    let page = overview(&mut tx, &OverviewQuery::default()).await.unwrap();
    println!("page of {} items: {:.0} ms", page.total, begun.elapsed().as_secs_f64() * 1_000.0);
    let begun = Instant::now();
    let watched = watch(&mut tx).await.unwrap();
    println!("look that opens {} alerts: {:.1} s", watched.low, begun.elapsed().as_secs_f64());
    tx.rollback().await.unwrap();
    worker.stop();
    platform.stop().await;
}
