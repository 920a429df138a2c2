//! Answers HTTP.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_api::process::api().await
}
