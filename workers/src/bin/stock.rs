//! Watches the stock: performs the jobs of the queue `stock`.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("stock").await
}
