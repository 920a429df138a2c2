//! Any one of the platform's processes, by its name. What each does is in its own crate; nothing of it is here.

use std::process::ExitCode;

use clap::ValueEnum;
use permanence_domain::programs;
use permanence_workers::process::{pool, scheduler};

/// The platform's processes, by the names of their programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Process {
    Api,
    Reminders,
    Invoices,
    Exports,
    Views,
    Stock,
    Privacy,
    Backups,
    Scheduler,
    Migrate,
    Admin,
}

/// Is that process until it ends.
pub(crate) async fn run(process: Process, arguments: &[String]) -> ExitCode {
    match process {
        Process::Api => permanence_api::process::api().await,
        Process::Reminders => pool("reminders").await,
        Process::Invoices => pool("invoices").await,
        Process::Exports => pool("exports").await,
        Process::Views => pool("views").await,
        Process::Stock => pool("stock").await,
        Process::Privacy => pool("privacy").await,
        Process::Backups => pool("backups").await,
        Process::Scheduler => scheduler().await,
        Process::Migrate => programs::migrate().await,
        Process::Admin => programs::admin(arguments).await,
    }
}
