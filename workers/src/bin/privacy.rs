//! Erases and forgets: performs the jobs of the queue `privacy`.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("privacy").await
}
