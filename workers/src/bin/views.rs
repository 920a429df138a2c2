//! Refreshes views: performs the jobs of the queue `views`.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("views").await
}
