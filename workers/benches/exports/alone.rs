//! What the parts of an export take alone: Postgres' own COPY of the same rows, and the compression of the same bytes.

use std::{io::Write, process::Stdio, time::Instant};

use permanence_domain::exports::{ExportFormat, ExportKind};
use permanence_embedded::postgres::Binaries;
use tokio::process::Command;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{mega, per_second, practice::Bench};

pub(crate) async fn run(bench: &Bench, rows: i64) {
    copy(bench, rows).await;
    let worker = bench.worker().await;
    let begun = Instant::now();
    let plain = bench.written(50, ExportFormat::Csv).await;
    let seconds = begun.elapsed().as_secs_f64();
    worker.stop();
    let size = plain.size_bytes.unwrap();
    println!(
        "export as CSV alone, on one core: {:.0} rows/s, {:.1} MB",
        per_second(rows, seconds),
        mega(size)
    );
    let mut tx = bench.platform.begin().await;
    let download = permanence_domain::exports::download(&mut tx, plain.id).await.unwrap();
    let bytes = bench.platform.storage().get(&download.key).await.unwrap();
    for level in [1, 2, 3, 4, 6, 9] {
        deflate(&bytes, rows, level);
    }
}

/// psql, which does nothing with what it gets.
async fn copy(bench: &Bench, rows: i64) {
    let psql = Binaries::find().unwrap().folder().join("psql");
    let as_tenant = format!(
        "SET ROLE permanence_tenant; SET permanence.tenant_id = '{}'; {}",
        bench.platform.tenant,
        ExportKind::Patients.kind().copy
    );
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let begun = Instant::now();
        let ended = Command::new(&psql)
            .args(["--no-psqlrc", "--quiet", "--command", &as_tenant])
            .arg(&bench.platform.database.owner_url)
            .stdout(Stdio::null())
            .status()
            .await
            .unwrap();
        assert!(ended.success());
        best = best.min(begun.elapsed().as_secs_f64());
    }
    println!("COPY of the same rows by psql, best of three: {:.0} rows/s", per_second(rows, best));
}

fn deflate(bytes: &[u8], rows: i64, level: i64) {
    let begun = Instant::now();
    let mut archive = ZipWriter::new_stream(Vec::with_capacity(bytes.len()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level));
    archive.start_file("patients.csv", options).unwrap();
    archive.write_all(bytes).unwrap();
    let size = archive.finish().unwrap().into_inner().len();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "deflate of the same bytes, level {level}: {:.0} rows/s, {:.1} MB",
        per_second(rows, seconds),
        mega(i64::try_from(size).unwrap())
    );
}
