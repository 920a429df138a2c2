//! The whole platform in one process: `cargo run` starts it, `cargo run -- reset` clears what it kept, and
//! `permanence queues` and `permanence jobs` operate a platform that runs, this one or another, `permanence audit` proves its
//! trail, and `permanence backup` backs it up and restores it. `permanence run` is any one of the platform's processes: an image
//! holds this program alone.

mod banner;
mod commands;
mod demo;
mod demo_stock;
mod outbox;
mod parts;
mod platform;
mod run;
mod secrets;

use std::{env, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use permanence_domain::{
    config::Env,
    signal,
    telemetry::{self, LogFormat},
};

use commands::{AuditCommand, BackupCommand, JobsCommand, PrivacyCommand, QueuesCommand, Wanted};
use run::Process;

/// What goes wrong is told in one sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Without a command: starts the whole platform in this process, on parts of its own where the environment names none.
/// Ctrl-C ends it.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Clear what the local platform kept in .permanence/
    Reset,
    /// Be one of the platform's processes, as the program of that name is: the environment tells the rest
    Run {
        process: Process,
        /// What `admin` is to do
        #[arg(trailing_var_arg = true)]
        arguments: Vec<String>,
    },
    /// Look at the queues of the database at `DATABASE_URL`, or of the platform that runs here; pause, resume, limit them
    Queues(Wanted<QueuesCommand>),
    /// Look at jobs there; cancel, discard and retry them
    Jobs(Wanted<JobsCommand>),
    /// Check the certificate of an erasure
    Privacy(Wanted<PrivacyCommand>),
    /// Prove the audit trail there, or take it out into a file
    Audit(Wanted<AuditCommand>),
    /// Back the platform up, look at its backups, prove one, or restore it into an empty database
    Backup(Wanted<BackupCommand>),
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let ended = match command {
        None => {
            let telemetry = telemetry::init(LogFormat::Text, "permanence");
            let ended = start().await;
            telemetry.end().await;
            ended
        }
        Some(Command::Reset) => {
            telemetry::log(LogFormat::Text);
            parts::reset(&folder()).await
        }
        Some(Command::Run { process, arguments }) => return run::run(process, &arguments).await,
        Some(Command::Queues(wanted)) => return commands::queues(&folder(), wanted).await,
        Some(Command::Privacy(wanted)) => return commands::privacy(&folder(), wanted),
        Some(Command::Backup(wanted)) => return commands::backup(&folder(), wanted).await,
        Some(Command::Audit(wanted)) => return commands::audit(&folder(), wanted).await,
        Some(Command::Jobs(wanted)) => return commands::jobs(&folder(), wanted).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            banner::say(&format!("permanence: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Where the embedded parts keep their data.
fn folder() -> PathBuf {
    env::var_os("PERMANENCE_DATA").map_or_else(|| PathBuf::from(".permanence"), PathBuf::from)
}

async fn start() -> Result<(), Failure> {
    let mut platform = platform::Platform::start(&folder(), Env::of_process()).await?;
    banner::say(&platform.welcome());
    let broken = tokio::select! {
        () = signal::terminated() => None,
        error = platform.broken() => Some(error),
    };
    banner::say("\nEnding: what runs may finish, then every part stops.");
    let stopped = platform.stop().await;
    broken.map_or(stopped, Err)
}
