//! Makes invoices: performs the jobs of the queue `invoices`.

fn main() -> std::process::ExitCode {
    permanence_workers::process::pool("invoices")
}
