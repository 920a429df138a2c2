//! Makes invoices: performs the jobs of the queue `invoices`.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("invoices").await
}
