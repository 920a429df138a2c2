//! Applies the migrations as the owner role and lets the login roles of `DATABASE_URL` and `BACKUP_DATABASE_URL` in.

use std::process::ExitCode;

use permanence_domain::{
    config::{Env, postgres_url},
    error::Result,
    migrate::{admit_backup, migrate},
    telemetry::{self, LogFormat},
};

#[tokio::main]
async fn main() -> ExitCode {
    telemetry::init(LogFormat::Json);
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

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut env = Env::of_process();
    let urls = postgres_url(&mut env, "DATABASE_OWNER_URL").zip(postgres_url(&mut env, "DATABASE_URL"));
    // Where nothing is backed up, nobody may read everything.
    let backup = match env.get("BACKUP_DATABASE_URL") {
        Some(_) => postgres_url(&mut env, "BACKUP_DATABASE_URL").map(Some),
        None => Some(None),
    };
    let ((owner, login), backup) = env.finish(urls.zip(backup))?;
    let owner = owner.expose().parse()?;
    migrate(&owner, &login).await?;
    if let Some(backup) = backup {
        admit_backup(&owner, &backup).await?;
    }
    Ok(())
}
