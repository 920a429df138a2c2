//! Writes exports: performs the jobs of the queue `exports`.

fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("exports")
}
