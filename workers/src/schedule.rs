//! Every cron entry, one table, and the tick that looks at it.

use std::sync::LazyLock;

use chrono_tz::Tz;
use permanence_domain::{
    db::{Actor, Db},
    error::Result,
    platform::PurgeAnswers,
};
use permanence_queue::{NewJob, cron};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

/// The entries. Times are civil times of the entry's zone; a missed one runs once when a scheduler is back.
pub static ENTRIES: LazyLock<Vec<cron::Entry>> = LazyLock::new(|| {
    vec![cron::Entry {
        name: "purge-answers",
        schedule: "17 3 * * *",
        zone: Tz::Europe__Paris,
        missed: cron::Missed::RunOnce,
        job: |_due| NewJob::of(&PurgeAnswers {}),
    }]
});

/// Looks once at the clock: enqueues what is due and has not been, by whichever scheduler.
pub async fn tick(db: &Db) -> Result<usize> {
    let mut tx = db.system(Actor::JOB).await?;
    let clock = tx.clock();
    let enqueued = cron::tick(tx.conn(), &*clock, &ENTRIES).await?;
    tx.commit().await?;
    Ok(enqueued)
}

/// Ticks at the beginning of every minute until `shutdown`. The library gives a UTC tick and nothing else: its zones
/// are wrong across a change of the clocks, and its state is lost with the process.
pub async fn run(db: Db, shutdown: CancellationToken) -> std::result::Result<(), JobSchedulerError> {
    let mut scheduler = JobScheduler::new().await?;
    let job = Job::new_async("0 * * * * *", move |_, _| {
        let db = db.clone();
        Box::pin(async move {
            match tick(&db).await {
                Ok(0) => {}
                Ok(enqueued) => tracing::info!(enqueued, "scheduled jobs are queued"),
                // The next tick finds what this one missed.
                Err(error) => tracing::warn!(%error, "the tick failed"),
            }
        })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    shutdown.cancelled().await;
    scheduler.shutdown().await
}
