//! Backs the database up: performs the jobs of the queue `backups`. The one pool that may read every row.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("backups").await
}
