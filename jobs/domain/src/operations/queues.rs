//! The queues, for the platform's operators: seen, paused, limited.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use permanence_queue::{self as queue, Limits};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit,
    db::SystemTx,
    error::{Error, Invalid, Result},
};

/// A queue of the platform at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// Jobs that wait for a worker.
    pub available: i64,
    /// Jobs at work.
    pub running: i64,
    /// Jobs that wait for another attempt.
    pub retryable: i64,
    /// How long the oldest job that is due has waited, seconds.
    pub oldest_seconds: Option<f64>,
    /// Workers that serve it.
    pub workers: i64,
    /// What its workers do, on average over the last minute.
    pub rate: QueueRate,
    /// Jobs that were discarded within the last 24 hours and are still so.
    pub discarded_last_day: i64,
    /// The most jobs that run at once.
    pub max_running: Option<i32>,
    /// The most jobs of one tenant that run at once.
    pub max_running_per_tenant: Option<i32>,
}

/// What a queue's workers do, in jobs per second, on average over the last minute.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct QueueRate {
    /// Attempts that began.
    pub started: f64,
    /// Jobs that ended for good: completed, cancelled or discarded.
    pub finished: f64,
}

/// Limits of a queue; what is left out is unlimited.
#[derive(Debug, Clone, Copy, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct QueueLimits {
    /// The most jobs that run at once.
    #[deserr(default)]
    pub max_running: Option<i32>,
    /// The most jobs of one tenant that run at once.
    #[deserr(default)]
    pub max_running_per_tenant: Option<i32>,
}

/// Every queue.
pub async fn list_queues(tx: &mut SystemTx) -> Result<Vec<QueueState>> {
    let clock = tx.clock();
    let queues = queue::stats(tx.conn(), &*clock).await?;
    Ok(queues
        .into_iter()
        .map(|stats| QueueState {
            name: stats.queue,
            paused_at: stats.paused_at,
            scheduled: stats.scheduled,
            available: stats.available,
            running: stats.running,
            retryable: stats.retryable,
            oldest_seconds: stats.oldest_seconds,
            workers: stats.workers,
            rate: QueueRate { started: stats.started_per_second, finished: stats.finished_per_second },
            discarded_last_day: stats.dead,
            max_running: stats.limits.running,
            max_running_per_tenant: stats.limits.running_per_tenant,
        })
        .collect())
}

/// One queue.
pub async fn get_queue(tx: &mut SystemTx, name: &str) -> Result<QueueState> {
    list_queues(tx).await?.into_iter().find(|queue| queue.name == name).ok_or(Error::NotFound("queue"))
}

/// Pauses a queue until it is resumed: no worker claims from it, jobs that run go on.
pub async fn pause_queue(tx: &mut SystemTx, name: &str) -> Result<()> {
    let clock = tx.clock();
    queue::pause(tx.conn(), &*clock, name).await.map_err(unknown)?;
    audit::record_system(tx, None, "queue.pause", "queue", name).await
}

/// Resumes a paused queue and wakes its workers.
pub async fn resume_queue(tx: &mut SystemTx, name: &str) -> Result<()> {
    queue::resume(tx.conn(), name).await.map_err(unknown)?;
    tx.wake(name);
    audit::record_system(tx, None, "queue.resume", "queue", name).await
}

/// Sets the limits of a queue.
pub async fn limit_queue(tx: &mut SystemTx, name: &str, limits: QueueLimits) -> Result<()> {
    let wanted =
        [("max_running", limits.max_running), ("max_running_per_tenant", limits.max_running_per_tenant)];
    for (field, limit) in wanted {
        if limit.is_some_and(|limit| limit < 1) {
            return Err(Error::invalid(
                field,
                "not_a_count",
                "a whole number from 1, or nothing for no limit",
            ));
        }
    }
    let limits = Limits { running: limits.max_running, running_per_tenant: limits.max_running_per_tenant };
    queue::set_limits(tx.conn(), name, limits).await.map_err(unknown)?;
    tx.wake(name);
    audit::record_system(tx, None, "queue.limit", "queue", name).await
}

fn unknown(error: queue::Error) -> Error {
    match error {
        queue::Error::NoSuchQueue(_) => Error::NotFound("queue"),
        other => other.into(),
    }
}
