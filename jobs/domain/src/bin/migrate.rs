//! Applies the migrations as the owner role, and lets in who may connect.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_domain::programs::migrate().await
}
