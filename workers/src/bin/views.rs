//! Refreshes views: performs the jobs of the queue `views`.

fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("views")
}
