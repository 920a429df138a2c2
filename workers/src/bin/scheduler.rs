//! Queues what the cron table says, each due time once, however many schedulers run.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_workers::process::scheduler().await
}
