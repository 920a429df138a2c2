//! Running the queues: what operators and tenants see of jobs, and what they may do to them. A tenant sees and touches
//! its own jobs; the platform's operators all of them.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use permanence_queue::{self as queue, DeadFilter, Failure, JobFilter, JobId, JobView, Limits};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};

use crate::{
    audit,
    clock::SharedClock,
    db::{SystemTx, TenantTx},
    error::{Error, Invalid, Problem, Result},
    field::from_text,
    identity::Role,
    ids::TenantId,
    page::Count,
};

/// A transaction as wide as the caller's role: one tenant's jobs, or all.
#[derive(Debug)]
pub enum JobsTx {
    /// The tenant's own.
    Own(TenantTx),
    /// Every tenant's: an operator of the platform.
    All(SystemTx),
}

impl JobsTx {
    /// Widens a tenant's transaction where the role is the platform's.
    pub async fn of(tx: TenantTx, role: Role) -> Result<Self> {
        Ok(if role.is_platform() { Self::All(tx.widen().await?) } else { Self::Own(tx) })
    }

    /// The connection, for SQL in this transaction.
    pub fn conn(&mut self) -> &mut PgConnection {
        match self {
            Self::Own(tx) => tx.conn(),
            Self::All(tx) => tx.conn(),
        }
    }

    fn clock(&self) -> SharedClock {
        match self {
            Self::Own(tx) => tx.clock(),
            Self::All(tx) => tx.clock(),
        }
    }

    /// Keeps everything.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Own(tx) => tx.commit().await,
            Self::All(tx) => tx.commit().await,
        }
    }
}

/// A job as it stands or as it ended; never its arguments.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobState {
    /// Identifier.
    pub id: i64,
    /// The pool's queue.
    pub queue: String,
    /// What it does, such as `notifications.send_reminder`.
    pub kind: String,
    /// `scheduled`, `available`, `running`, `retryable`, `completed`, `cancelled` or `discarded`.
    pub state: String,
    /// Whose it is.
    pub tenant_id: Option<TenantId>,
    /// Attempts so far.
    pub attempt: i16,
    /// Attempts that it gets.
    pub max_attempts: i16,
    /// When it was enqueued.
    pub enqueued_at: DateTime<Utc>,
    /// When it is or was due.
    pub run_at: DateTime<Utc>,
    /// When its last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How far it has come, where it tells.
    pub progress: Option<JobProgress>,
    /// One entry for each failed attempt: attempt, at, process, code, message.
    #[schema(value_type = Vec<Object>)]
    pub errors: serde_json::Value,
    /// What it gave.
    #[schema(value_type = Option<Object>)]
    pub output: Option<serde_json::Value>,
}

/// How far a job has come, in units of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobProgress {
    /// Units done.
    pub done: i64,
    /// Units in all, where it knows.
    pub total: Option<i64>,
}

impl JobState {
    /// Whether nothing more will happen to it by itself.
    pub fn is_over(&self) -> bool {
        self.finished_at.is_some()
    }
}

impl From<JobView> for JobState {
    fn from(view: JobView) -> Self {
        Self {
            id: view.id.0,
            queue: view.queue,
            kind: view.kind,
            state: view.state,
            tenant_id: view.tenant.map(TenantId),
            attempt: view.attempt,
            max_attempts: view.max_attempts,
            enqueued_at: view.enqueued_at,
            run_at: view.run_at,
            started_at: view.started_at,
            finished_at: view.finished_at,
            progress: view.done.map(|done| JobProgress { done, total: view.total }),
            errors: view.errors,
            output: view.output,
        }
    }
}

/// A job's number in a query string.
#[derive(Debug, Clone, Copy)]
pub struct JobNumber(i64);

impl Deserr<Invalid> for JobNumber {
    fn deserialize_from_value<V: deserr::IntoValue>(
        value: deserr::Value<V>,
        location: deserr::ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        from_text(value, location, |text| {
            text.parse().map(Self).map_err(|_| Problem::new("", "not_a_number", "a job's number").read(text))
        })
    }
}

/// Which jobs.
#[derive(Debug, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct JobQuery {
    /// Jobs of one queue.
    #[deserr(default)]
    pub queue: Option<String>,
    /// Jobs of one kind.
    #[deserr(default)]
    pub kind: Option<String>,
    /// Jobs in one state.
    #[deserr(default)]
    pub state: Option<String>,
    /// Jobs of one tenant; for operators.
    #[deserr(default)]
    pub tenant_id: Option<TenantId>,
    /// Only those before this one: the last number of the page before.
    #[deserr(default)]
    #[param(value_type = Option<i64>)]
    pub before: Option<JobNumber>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// A page of jobs, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Jobs {
    /// The jobs.
    pub items: Vec<JobState>,
    /// Give it as `before` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Dead jobs to bring back to life.
#[derive(Debug, Default, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct RetryJobs {
    /// Jobs of one queue.
    #[deserr(default)]
    pub queue: Option<String>,
    /// Jobs of one kind.
    #[deserr(default)]
    pub kind: Option<String>,
    /// Jobs whose last attempt failed with this code.
    #[deserr(default)]
    pub code: Option<String>,
}

/// How many came back to life.
#[derive(Debug, Serialize, ToSchema)]
pub struct Retried {
    /// The jobs.
    pub ids: Vec<i64>,
}

/// The most that one call brings back.
const RETRIED_AT_ONCE: i64 = 1_000;

/// Finds jobs.
pub async fn list_jobs(tx: &mut JobsTx, query: &JobQuery) -> Result<Jobs> {
    let limit = query.limit.get();
    let filter = JobFilter {
        queue: query.queue.clone(),
        kind: query.kind.clone(),
        state: query.state.clone(),
        tenant: query.tenant_id.map(|tenant| tenant.0),
        since: None,
        until: None,
        before: query.before.map(|number| JobId(number.0)),
    };
    let items: Vec<JobState> =
        queue::find_jobs(tx.conn(), &filter, limit).await?.into_iter().map(JobState::from).collect();
    let full = i64::try_from(items.len()).is_ok_and(|count| count == limit);
    let next = items.last().filter(|_| full).map(|job| job.id);
    Ok(Jobs { items, next })
}

/// One job.
pub async fn get_job(tx: &mut JobsTx, id: i64) -> Result<JobState> {
    queue::find_job(tx.conn(), JobId(id)).await?.map(JobState::from).ok_or(Error::NotFound("job"))
}

/// Takes a waiting job back, or asks a running one to stop; what has ended stays as it is.
pub async fn cancel_job(tx: &mut JobsTx, id: i64) -> Result<()> {
    get_job(tx, id).await?;
    let clock = tx.clock();
    queue::cancel(tx.conn(), &*clock, JobId(id)).await?;
    note(tx, "job.cancel", id).await
}

/// Ends a waiting job for good, by a person's decision.
pub async fn discard_job(tx: &mut JobsTx, id: i64) -> Result<()> {
    get_job(tx, id).await?;
    let clock = tx.clock();
    let reason = Failure::new("discarded_by_hand", "a person decided");
    if !queue::discard(tx.conn(), &*clock, JobId(id), reason).await? {
        return Err(Error::conflict("job_not_waiting", "the job runs or has ended"));
    }
    note(tx, "job.discard", id).await
}

/// Brings a dead job back to life, with all its attempts. The queue lets only the system's role do so; that the caller
/// may see the job is checked in their own.
pub async fn retry_job(mut tx: JobsTx, id: i64) -> Result<SystemTx> {
    get_job(&mut tx, id).await?;
    note(&mut tx, "job.retry", id).await?;
    let mut tx = widen(tx).await?;
    let clock = tx.clock();
    if !queue::retry(tx.conn(), &*clock, JobId(id)).await? {
        return Err(Error::conflict("job_not_dead", "only a discarded or cancelled job can be retried"));
    }
    Ok(tx)
}

/// Brings discarded jobs back to life, the oldest first, at most a thousand at once.
pub async fn retry_jobs(tx: JobsTx, request: &RetryJobs) -> Result<(SystemTx, Retried)> {
    let tenant = match &tx {
        JobsTx::Own(tx) => Some(tx.tenant().0),
        JobsTx::All(_) => None,
    };
    let filter = DeadFilter {
        queue: request.queue.clone(),
        kind: request.kind.clone(),
        code: request.code.clone(),
        tenant,
        since: None,
        until: None,
    };
    let mut tx = widen(tx).await?;
    let clock = tx.clock();
    let ids = queue::retry_all(tx.conn(), &*clock, &filter, RETRIED_AT_ONCE).await?;
    let tenant = tenant.map(TenantId);
    audit::record_system(&mut tx, tenant, "job.retry_many", "job", None).await?;
    Ok((tx, Retried { ids: ids.into_iter().map(|id| id.0).collect() }))
}

async fn widen(tx: JobsTx) -> Result<SystemTx> {
    match tx {
        JobsTx::Own(tx) => tx.widen().await,
        JobsTx::All(tx) => Ok(tx),
    }
}

/// Jobs have numbers, not UUIDs: the trail names the action, the log line the job.
async fn note(tx: &mut JobsTx, action: &str, id: i64) -> Result<()> {
    tracing::info!(job_id = id, action, "by a person");
    match tx {
        JobsTx::Own(tx) => audit::record(tx, action, "job", None).await,
        JobsTx::All(tx) => audit::record_system(tx, None, action, "job", None).await,
    }
}

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
    /// How long the oldest available job has waited, seconds.
    pub oldest_seconds: Option<f64>,
    /// Workers that serve it.
    pub workers: i64,
    /// The most jobs that run at once.
    pub max_running: Option<i32>,
    /// The most jobs of one tenant that run at once.
    pub max_running_per_tenant: Option<i32>,
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
            max_running: stats.limits.running,
            max_running_per_tenant: stats.limits.running_per_tenant,
        })
        .collect())
}

/// Pauses a queue until it is resumed: no worker claims from it, jobs that run go on.
pub async fn pause_queue(tx: &mut SystemTx, name: &str) -> Result<()> {
    let clock = tx.clock();
    queue::pause(tx.conn(), &*clock, name).await.map_err(unknown)?;
    audit::record_system(tx, None, "queue.pause", "queue", None).await
}

/// Resumes a paused queue and wakes its workers.
pub async fn resume_queue(tx: &mut SystemTx, name: &str) -> Result<()> {
    queue::resume(tx.conn(), name).await.map_err(unknown)?;
    tx.wake(name);
    audit::record_system(tx, None, "queue.resume", "queue", None).await
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
    audit::record_system(tx, None, "queue.limit", "queue", None).await
}

fn unknown(error: queue::Error) -> Error {
    match error {
        queue::Error::NoSuchQueue(_) => Error::NotFound("queue"),
        other => other.into(),
    }
}
