//! Every cron entry, one table, and the tick that looks at it.

use std::{error::Error, sync::Arc};

use chrono_tz::Tz;
use permanence_domain::{
    db::{Actor, Db},
    error::Result,
    notifications::receipts::jobs::AskDeliveries,
    platform::{MaintainQueue, PurgeAnswers},
};
use permanence_queue::{NewJob, cron};
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;

/// The entries. Times are civil times of the entry's zone; a missed one runs once when a scheduler is back.
pub fn entries() -> std::result::Result<Vec<cron::Entry>, permanence_queue::Error> {
    let civil =
        |name, pattern, job| cron::Entry::new(name, pattern, Tz::Europe__Paris, cron::Missed::RunOnce, job);
    Ok(vec![
        civil("ask-deliveries", "*/10 * * * *", |_due| NewJob::of(&AskDeliveries {}))?,
        civil("maintain-queue", "41 * * * *", |_due| NewJob::of(&MaintainQueue {}))?,
        civil("purge-answers", "17 3 * * *", |_due| NewJob::of(&PurgeAnswers {}))?,
    ])
}

/// Looks once at the clock: enqueues what is due and has not been, by whichever scheduler.
pub async fn tick(db: &Db, entries: &[cron::Entry]) -> Result<usize> {
    let mut tx = db.system(Actor::JOB).await?;
    let clock = tx.clock();
    let ticked = cron::tick(tx.conn(), &*clock, entries).await?;
    for tick in &ticked {
        tx.wake(&tick.queue);
    }
    tx.commit().await?;
    Ok(ticked.len())
}

/// Ticks at the beginning of every minute until `shutdown`. The library gives a UTC tick and nothing else: its zones
/// are wrong across a change of the clocks, and its state is lost with the process.
pub async fn run(
    db: Db,
    shutdown: CancellationToken,
) -> std::result::Result<(), Box<dyn Error + Send + Sync>> {
    let entries = Arc::new(entries()?);
    let mut scheduler = JobScheduler::new().await?;
    let job = Job::new_async("0 * * * * *", move |_, _| {
        let (db, entries) = (db.clone(), Arc::clone(&entries));
        Box::pin(async move {
            match tick(&db, &entries).await {
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
    Ok(scheduler.shutdown().await?)
}
