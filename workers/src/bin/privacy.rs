//! Erases and forgets: performs the jobs of the queue `privacy`.

fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("privacy")
}
