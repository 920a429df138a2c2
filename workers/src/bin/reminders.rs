//! Reminds patients and mails invitations: performs the jobs of the queue `reminders`.

fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("reminders")
}
