//! Jobs, as operators and tenants see them and act on them. Shows no job's arguments.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use permanence_queue::{self as queue, DeadFilter, Failure, JobFilter, JobId, JobView};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::JobsTx;
use crate::{
    audit,
    db::SystemTx,
    error::{Error, Invalid, Problem, Result},
    field::from_text,
    ids::TenantId,
    page::Count,
};

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
    let mut tx = tx.widen().await?;
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
    let mut tx = tx.widen().await?;
    let clock = tx.clock();
    let ids = queue::retry_all(tx.conn(), &*clock, &filter, RETRIED_AT_ONCE).await?;
    let tenant = tenant.map(TenantId);
    audit::record_system(&mut tx, tenant, "job.retry_many", "job", None).await?;
    Ok((tx, Retried { ids: ids.into_iter().map(|id| id.0).collect() }))
}

/// Jobs have numbers, not UUIDs: the trail names the action, the log line the job.
async fn note(tx: &mut JobsTx, action: &str, id: i64) -> Result<()> {
    tracing::info!(job_id = id, action, "by a person");
    match tx {
        JobsTx::Own(tx) => audit::record(tx, action, "job", None).await,
        JobsTx::All(tx) => audit::record_system(tx, None, action, "job", None).await,
    }
}
