//! Applies the migrations as the owner role and lets the login role of `DATABASE_URL` in.

use std::process::ExitCode;

use permanence_domain::{
    config::{Env, postgres_url},
    error::Result,
    migrate::migrate,
    telemetry::{self, LogFormat},
};

#[tokio::main]
async fn main() -> ExitCode {
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

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut env = Env::of_process();
    let urls = postgres_url(&mut env, "DATABASE_OWNER_URL").zip(postgres_url(&mut env, "DATABASE_URL"));
    let (owner, login) = env.finish(urls)?;
    Ok(migrate(&owner.expose().parse()?, &login).await?)
}
