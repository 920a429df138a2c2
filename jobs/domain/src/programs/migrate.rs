//! Brings the database up to this version.

use std::{error::Error, process::ExitCode};

use crate::{
    config::{Env, postgres_url},
    migrate::{self, admit_backup, admit_scaler},
    telemetry::{self, LogFormat},
};

/// The program, whole: applies the migrations as the owner of `DATABASE_OWNER_URL`, lets in the login role of `DATABASE_URL` and,
/// where they are named, the autoscaler's of `DATABASE_SCALER_URL` and that of backups, `BACKUP_DATABASE_URL`.
pub async fn migrate() -> ExitCode {
    telemetry::log(LogFormat::Json);
    match run().await {
        Ok(()) => {
            tracing::info!("the database is up to date");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(cause = error.source(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut env = Env::of_process();
    let urls = postgres_url(&mut env, "DATABASE_OWNER_URL").zip(postgres_url(&mut env, "DATABASE_URL"));
    // Either may be left out: where nothing is backed up, nobody may read everything.
    let mut named = |name: &str| match env.get(name) {
        Some(_) => postgres_url(&mut env, name).map(Some),
        None => Some(None),
    };
    let (scaler, backup) = (named("DATABASE_SCALER_URL"), named("BACKUP_DATABASE_URL"));
    let (((owner, login), scaler), backup) = env.finish(urls.zip(scaler).zip(backup))?;
    let owner = owner.expose().parse()?;
    migrate::migrate(&owner, &login).await?;
    if let Some(scaler) = scaler {
        admit_scaler(&owner, &scaler).await?;
    }
    if let Some(backup) = backup {
        admit_backup(&owner, &backup).await?;
    }
    Ok(())
}
