//! Reminds patients and mails invitations: performs the jobs of the queue `reminders`.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("reminders").await
}
