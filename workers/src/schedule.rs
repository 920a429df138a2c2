//! The scheduler: every cron entry, one table, and the tick that looks at it; and the gauges of the queues, which one
//! process has to show. It performs no job.

use std::{error::Error, sync::Arc, time::Duration};

use chrono_tz::Tz;
use permanence_domain::{
    access::{self, jobs::WatchAccessRequests},
    audit::{
        Backlog, backlog,
        jobs::{ForgetEntries, SealEntries},
    },
    backup::{
        jobs::{RemoveBackups, WriteBackup},
        last_backup,
    },
    billing::jobs::FindOverdue,
    db::{Actor, Db},
    error::Result,
    exports::jobs::SweepExports,
    figures::{self, jobs::RefreshViews},
    files::jobs::SweepImages,
    inventory::jobs::WatchStock,
    notifications::{Overdue, jobs::ReconcileMessages, overdue, receipts::jobs::AskDeliveries},
    platform::{MaintainQueue, PurgeAnswers},
    privacy::jobs::FindDueErasures,
    vault::Rewrap,
};
use permanence_queue::{NewJob, cron, show_gauges};
use tokio::time::{Instant, sleep};
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;

/// How often the queues are counted. A count reads every live job, so it rests `REST` times as long as it took: where
/// millions of jobs wait, the gauges are older and the database is hardly busier.
const COUNT_EVERY: Duration = Duration::from_secs(15);
const REST: u32 = 50;

/// The entries. Times are civil times of the entry's zone; a missed one runs once when a scheduler is back.
pub fn entries() -> std::result::Result<Vec<cron::Entry>, permanence_queue::Error> {
    let civil =
        |name, pattern, job| cron::Entry::new(name, pattern, Tz::Europe__Paris, cron::Missed::RunOnce, job);
    Ok(vec![
        civil("seal-audit", "* * * * *", |_due| NewJob::of(&SealEntries {}))?,
        civil("forget-audit", "47 3 * * *", |_due| NewJob::of(&ForgetEntries {}))?,
        civil("ask-deliveries", "*/10 * * * *", |_due| NewJob::of(&AskDeliveries {}))?,
        civil("sweep-exports", "*/10 * * * *", |_due| NewJob::of(&SweepExports {}))?,
        civil("sweep-images", "37 * * * *", |_due| NewJob::of(&SweepImages {}))?,
        // In the morning of most practices; elsewhere the mails wait for the end of the quiet hours.
        civil("find-overdue", "11 9 * * *", |_due| NewJob::of(&FindOverdue {}))?,
        civil("watch-access-requests", "17 8 * * *", |_due| NewJob::of(&WatchAccessRequests {}))?,
        civil("maintain-queue", "41 * * * *", |_due| NewJob::of(&MaintainQueue {}))?,
        civil("reconcile-messages", "23 4 * * *", |_due| NewJob::of(&ReconcileMessages {}))?,
        civil("refresh-views", "13 */6 * * *", |_due| NewJob::of(&RefreshViews {}))?,
        civil("watch-stock", "7 * * * *", |_due| NewJob::of(&WatchStock {}))?,
        // After the erasures of the night, so that what was erased is in none that is made later.
        civil("write-backup", "11 3 * * *", |_due| WriteBackup::job())?,
        civil("remove-backups", "43 5 * * *", |_due| NewJob::of(&RemoveBackups {}))?,
        // In the night, when nobody waits for the database.
        civil("find-due-erasures", "7 1 * * *", |_due| NewJob::of(&FindDueErasures {}))?,
        civil("rewrap-keys", "47 2 * * *", |_due| NewJob::of(&Rewrap {}))?,
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

/// Counts every queue's jobs and workers, the overdue messages, what the audit trail waits for, the age of the views and of
/// the last backup once, and shows them as gauges of this process.
pub async fn count(db: &Db) -> Result<()> {
    let mut tx = db.system(Actor::JOB).await?;
    let clock = tx.clock();
    show_gauges(tx.conn(), &*clock).await?;
    let Overdue { messages, oldest_seconds } = overdue(&mut tx).await?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; no count of ours is beyond it")]
    metrics::gauge!("permanence_messages_overdue").set(messages as f64);
    metrics::gauge!("permanence_messages_overdue_seconds").set(oldest_seconds);
    for age in figures::ages(&mut tx).await? {
        let view = age.view.name();
        if let Some(seconds) = age.age_seconds {
            metrics::gauge!("permanence_view_age_seconds", "view" => view).set(seconds);
        }
        metrics::gauge!("permanence_view_refreshing_seconds", "view" => view).set(age.refreshing_seconds);
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; no count of ours is beyond it")]
    metrics::gauge!("permanence_access_requests_overdue").set(access::overdue(&mut tx).await? as f64);
    let Backlog { unsealed_seconds, unanchored_seconds } = backlog(&mut tx).await?;
    metrics::gauge!("permanence_audit_unsealed_seconds").set(unsealed_seconds);
    metrics::gauge!("permanence_audit_unanchored_seconds").set(unanchored_seconds);
    let now = tx.now();
    // Without any backup the age is without end, so that whoever watches it is told.
    let age = last_backup(tx.conn(), now).await?.map_or(f64::INFINITY, |last| last.age_seconds);
    metrics::gauge!("permanence_backup_age_seconds").set(age);
    tx.commit().await
}

/// Has those views refreshed that never were, such as a new release's: the table above says when the next one is due.
async fn refresh_missing(db: &Db) -> Result<()> {
    let mut tx = db.system(Actor::JOB).await?;
    figures::request_missing(&mut tx).await?;
    tx.commit().await
}

async fn keep_counting(db: &Db) {
    loop {
        let begun = Instant::now();
        // Without a count the gauges vanish after a while, rather than stay as they were.
        if let Err(error) = count(db).await {
            tracing::warn!(%error, "the queues could not be counted");
        }
        sleep(COUNT_EVERY.max(begun.elapsed() * REST)).await;
    }
}

/// Ticks at the beginning of every minute and counts the queues in between, until `shutdown`. The library gives a UTC tick and nothing else: its zones
/// are wrong across a change of the clocks, and its state is lost with the process.
pub async fn run(
    db: Db,
    shutdown: CancellationToken,
) -> std::result::Result<(), Box<dyn Error + Send + Sync>> {
    let entries = Arc::new(entries()?);
    if let Err(error) = refresh_missing(&db).await {
        tracing::warn!(%error, "new views wait for their regular refresh");
    }
    let mut scheduler = JobScheduler::new().await?;
    let ticking = db.clone();
    let job = Job::new_async("0 * * * * *", move |_, _| {
        let (db, entries) = (ticking.clone(), Arc::clone(&entries));
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
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = keep_counting(&db) => {}
    }
    Ok(scheduler.shutdown().await?)
}
