//! What Postgres itself does with the same statements: pgbench claims and completes, and nothing runs in between.

use std::time::Instant;

use permanence_embedded::postgres::Binaries;
use tokio::process::Command;

use crate::server::{Server, per_second};

/// The claim of `claim.rs` and the end of `settle.rs`, for the ids that the claim answered.
const SCRIPT: &str = include_str!("claim_and_complete.sql");

/// Tells the best rate of jobs a second, and how it was reached.
pub(crate) async fn run(server: &Server, jobs: usize) -> (u64, String) {
    let pgbench = Binaries::find().unwrap().folder().join("pgbench");
    let script = std::env::temp_dir().join(format!("claim_and_complete_{}.sql", std::process::id()));
    std::fs::write(&script, SCRIPT).unwrap();
    let mut best = (0, String::new());
    for (clients, batch) in [(2, 100), (2, 500), (2, 1000), (4, 500)] {
        let db = server.database().await;
        db.fill(jobs).await;
        let transactions = jobs / clients / batch;
        let start = Instant::now();
        let output = Command::new(&pgbench)
            .args([
                "-n",
                "-M",
                "prepared",
                "-j",
                "2",
                "-c",
                &clients.to_string(),
                "-t",
                &transactions.to_string(),
            ])
            .args(["-D", &format!("batch={batch}"), "-f"])
            .arg(&script)
            .arg(&db.url)
            .output()
            .await
            .unwrap();
        let time = start.elapsed();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let kept = db.count("SELECT count(*) FROM queue.job_history").await;
        let rate = per_second(usize::try_from(kept).unwrap(), time);
        let setting = format!("{clients} clients, {batch} a time");
        println!("raw pgbench, {setting}: {rate}/s");
        best = best.max((rate, setting));
        server.discard(db).await;
    }
    std::fs::remove_file(script).unwrap();
    best
}
