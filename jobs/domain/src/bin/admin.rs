//! For operators: founds a practice and invites its administrator, or invites somebody to run the platform.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    permanence_domain::programs::admin(&arguments).await
}
