//! The API as a process of its own: configuration, state, serve, drain.

use std::{process::ExitCode, sync::Arc};

use permanence_domain::{
    clock::SystemClock,
    config::Env,
    db::Db,
    signal,
    telemetry::{self, LogFormat},
};
use permanence_queue::Waker;

use crate::{App, bind, config::ApiConfig, router, serve};

/// The API's process, whole: reads the environment, serves until told to end.
pub async fn api() -> ExitCode {
    let telemetry = telemetry::init(LogFormat::Json, "permanence-api");
    let code = match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    };
    telemetry.end().await;
    code
}

async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let config = ApiConfig::from_env(Env::of_process())?;
    let metrics = telemetry::record_metrics()?;
    let waker = Waker::start(config.database.url.expose().parse()?);
    let db = Db::open(&config.database, Arc::new(SystemClock), waker)?;
    let app = App::new(&config, db.clone(), Some(metrics))?;
    let listener = bind(config.listen).await?;
    tracing::info!(listen = %config.listen, "serving");
    serve(listener, router(app), signal::terminated()).await?;
    db.close().await;
    Ok(())
}
