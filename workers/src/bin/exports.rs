//! Writes exports: performs the jobs of the queue `exports`.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("exports").await
}
