//! The command line to a platform's queues, jobs, backups and audit trail: reads what is wanted, has it done by the domain's operations, which
//! note it in the audit trail, and prints what came of it. Owns no rule and no SQL.

mod audit;
mod backup;
mod jobs;
mod print;
mod privacy;
mod queues;

use std::{path::Path, process::ExitCode, sync::Arc};

use clap::Args;
use permanence_domain::{
    Error, Invalid,
    clock::SystemClock,
    config::{DatabaseConfig, Env},
    db::{Actor, Db},
};
use permanence_queue::Waker;

pub(crate) use self::{
    audit::AuditCommand, backup::BackupCommand, jobs::JobsCommand, privacy::PrivacyCommand,
    queues::QueuesCommand,
};
use crate::{Failure, banner, parts};

/// What a person wants of the queues, of the jobs in them, or of the audit trail.
#[derive(Debug, Args)]
pub(crate) struct Wanted<C: clap::Subcommand> {
    #[command(subcommand)]
    command: C,
    /// Print JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
}

/// Why a command was not carried out.
enum Refusal {
    /// What was given breaks a rule.
    Usage(Invalid),
    /// Everything else.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(invalid) => Self::Usage(invalid),
            Error::Conflict { detail, .. } => Self::Failed(detail.into()),
            Error::Unavailable { what, source } => {
                Self::Failed(format!("the {what} is not to be reached: {source}").into())
            }
            other => Self::Failed(other.into()),
        }
    }
}

/// Carries a command about queues out.
pub(crate) async fn queues(folder: &Path, wanted: Wanted<QueuesCommand>) -> ExitCode {
    let done = async {
        let db = open(folder).await?;
        let done = match wanted.command {
            QueuesCommand::Jobs(command) => jobs::run(&db, command, wanted.json).await,
            command => queues::run(&db, command, wanted.json).await,
        };
        db.close().await;
        done
    };
    told(done.await)
}

/// Carries a command about certificates out.
pub(crate) fn privacy(folder: &Path, wanted: Wanted<PrivacyCommand>) -> ExitCode {
    told(privacy::run(folder, wanted.command, wanted.json))
}

/// Carries a command about jobs out.
pub(crate) async fn jobs(folder: &Path, wanted: Wanted<JobsCommand>) -> ExitCode {
    let done = async {
        let db = open(folder).await?;
        let done = jobs::run(&db, wanted.command, wanted.json).await;
        db.close().await;
        done
    };
    told(done.await)
}

/// Carries a command about the audit trail out; what is not as it was recorded ends the program as a failure does.
pub(crate) async fn audit(folder: &Path, wanted: Wanted<AuditCommand>) -> ExitCode {
    match audit::run(folder, wanted.command, wanted.json).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(refusal) => told(Err(refusal)),
    }
}

/// Carries a command about backups out.
pub(crate) async fn backup(folder: &Path, wanted: Wanted<BackupCommand>) -> ExitCode {
    told(backup::run(folder, wanted.command, wanted.json).await)
}

/// Opens the database of `DATABASE_URL`; where there is none, of the platform that runs on this machine.
async fn open(folder: &Path) -> Result<Db, Failure> {
    let mut env = Env::of_process();
    let local = env.get("DATABASE_URL").is_none();
    if local {
        env.set_default("DATABASE_URL", parts::running_database(folder)?);
    }
    let config = DatabaseConfig::read(&mut env);
    let config = env.finish(config)?;
    let waker = Waker::start(config.url.expose().parse()?);
    let db = Db::open(&config, Arc::new(SystemClock), waker)?;
    match db.ping().await {
        // Its server runs a little longer than the platform does, and a little before.
        Err(Error::Unavailable { .. }) if local => Err(parts::NOT_RUNNING.into()),
        Err(error) => Err(format!("the database does not answer as a platform's does: {error}").into()),
        Ok(()) => Ok(db),
    }
}

/// Says what went wrong, if anything, and with which exit code the program ends.
fn told(done: Result<(), Refusal>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refusal::Failed(failure)) => {
            banner::say(&format!("permanence: {failure}"));
            ExitCode::FAILURE
        }
        Err(Refusal::Usage(Invalid(problems))) => {
            for problem in problems {
                let read = problem.read.map_or_else(|| "nothing".to_owned(), |read| format!("`{read}`"));
                let option = problem.field.trim_end_matches("_id").replace('_', "-");
                banner::say(&format!("permanence: --{option}: read {read}, expected {}", problem.expected));
            }
            ExitCode::from(2)
        }
    }
}

/// The transaction of a command.
async fn begin(db: &Db) -> Result<permanence_domain::db::SystemTx, Error> {
    db.system(Actor::COMMAND_LINE).await
}
