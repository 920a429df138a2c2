//! Jobs, as operators and tenants see them and act on them. Shows no job's arguments.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use permanence_queue::{self as queue, Cancelled, DeadFilter, Failure, JobFilter, JobId, JobView};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::JobsTx;
use crate::{
    audit,
    db::SystemTx,
    error::{Error, Invalid, Problem, Result},
    field::{Instant, from_text},
    ids::TenantId,
    page::Count,
};

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// It waits for its time.
    Scheduled,
    /// It waits for a worker.
    Available,
    /// It is at work.
    Running,
    /// An attempt failed; it waits for another.
    Retryable,
    /// It is done.
    Completed,
    /// It was taken back, or stopped when asked to.
    Cancelled,
    /// It failed for good, or a person ended it.
    Discarded,
}

impl JobStatus {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Retryable => "retryable",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }
}

/// What a person may do to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobAction {
    /// See [`cancel_job`].
    Cancel,
    /// See [`retry_job`].
    Retry,
    /// See [`discard_job`].
    Discard,
}

/// A job as it stands or as it ended; never its arguments.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobState {
    /// Identifier.
    pub id: i64,
    /// The pool's queue.
    pub queue: String,
    /// What it does, such as `notifications.send_message`.
    pub kind: String,
    /// How it stands.
    #[schema(value_type = JobStatus)]
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

    /// What can be done to it as it stands.
    pub fn actions(&self) -> &'static [JobAction] {
        match self.state.as_str() {
            "scheduled" | "available" | "retryable" => &[JobAction::Cancel, JobAction::Discard],
            "running" => &[JobAction::Cancel],
            "cancelled" | "discarded" => &[JobAction::Retry],
            _ => &[],
        }
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
    pub state: Option<JobStatus>,
    /// Jobs of one tenant; for operators.
    #[deserr(default)]
    pub tenant_id: Option<TenantId>,
    /// Jobs that were enqueued then or later.
    #[deserr(default)]
    pub since: Option<Instant>,
    /// Jobs that were enqueued before.
    #[deserr(default)]
    pub until: Option<Instant>,
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
    /// Jobs of one tenant; for operators.
    #[deserr(default)]
    pub tenant_id: Option<TenantId>,
    /// Jobs that ended then or later.
    #[deserr(default)]
    pub since: Option<Instant>,
    /// Jobs that ended before.
    #[deserr(default)]
    pub until: Option<Instant>,
}

/// How many came back to life.
#[derive(Debug, Serialize, ToSchema)]
pub struct Retried {
    /// The jobs.
    pub ids: Vec<i64>,
}

/// The most that one call brings back.
const RETRIED_AT_ONCE: i64 = 1_000;

/// Refuses a span of time that ends before it begins.
fn check_span(since: Option<Instant>, until: Option<Instant>) -> Result<()> {
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(Error::invalid("until", "before_since", "an instant that is not before `since`"));
    }
    Ok(())
}

/// Finds jobs.
pub async fn list_jobs(tx: &mut JobsTx, query: &JobQuery) -> Result<Jobs> {
    check_span(query.since, query.until)?;
    let limit = query.limit.get();
    let filter = JobFilter {
        queue: query.queue.clone(),
        kind: query.kind.clone(),
        state: query.state.map(|state| state.as_str().to_owned()),
        tenant: query.tenant_id.map(|tenant| tenant.0),
        since: query.since.map(|since| since.0),
        until: query.until.map(|until| until.0),
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
    let job = get_job(tx, id).await?;
    let clock = tx.clock();
    if queue::cancel(tx.conn(), &*clock, JobId(id)).await? == Cancelled::NotFound {
        return Ok(());
    }
    note(tx, "job.cancel", &job).await
}

/// Ends a waiting job for good, by a person's decision.
pub async fn discard_job(tx: &mut JobsTx, id: i64) -> Result<()> {
    let job = get_job(tx, id).await?;
    let clock = tx.clock();
    let reason = Failure::new("discarded_by_hand", "a person decided");
    if !queue::discard(tx.conn(), &*clock, JobId(id), reason).await? {
        return Err(Error::conflict("job_not_waiting", "the job runs or has ended"));
    }
    note(tx, "job.discard", &job).await
}

/// Brings a dead job back to life, with all its attempts. The queue lets only the system's role do so; that the caller
/// may see the job is checked in their own.
pub async fn retry_job(mut tx: JobsTx, id: i64) -> Result<SystemTx> {
    let job = get_job(&mut tx, id).await?;
    note(&mut tx, "job.retry", &job).await?;
    let mut tx = tx.widen().await?;
    let clock = tx.clock();
    if !queue::retry(tx.conn(), &*clock, JobId(id)).await? {
        return Err(Error::conflict("job_not_dead", "only a discarded or cancelled job can be retried"));
    }
    tx.wake(&job.queue);
    Ok(tx)
}

/// Brings discarded jobs back to life, the oldest first, at most a thousand at once.
pub async fn retry_jobs(tx: JobsTx, request: &RetryJobs) -> Result<(SystemTx, Retried)> {
    check_span(request.since, request.until)?;
    let tenant = match &tx {
        JobsTx::Own(_) if request.tenant_id.is_some() => return Err(not_an_operator()),
        JobsTx::Own(tx) => Some(tx.tenant()),
        JobsTx::All(_) => request.tenant_id,
    };
    let filter = DeadFilter {
        queue: request.queue.clone(),
        kind: request.kind.clone(),
        code: request.code.clone(),
        tenant: tenant.map(|tenant| tenant.0),
        since: request.since.map(|since| since.0),
        until: request.until.map(|until| until.0),
    };
    let mut tx = tx.widen().await?;
    let clock = tx.clock();
    let revived = queue::retry_all(tx.conn(), &*clock, &filter, RETRIED_AT_ONCE).await?;
    for job in &revived {
        tx.wake(&job.queue);
    }
    let jobs: Vec<_> = revived.iter().map(|job| (job.tenant.map(TenantId), job.id.0.into())).collect();
    audit::record_many(&mut tx, "job.retry", "job", &jobs).await?;
    Ok((tx, Retried { ids: revived.into_iter().map(|job| job.id.0).collect() }))
}

/// The refusal of a tenant's name by somebody who reaches one tenant only.
pub(crate) fn not_an_operator() -> Error {
    let expected = "nothing: only operators of the platform name a tenant";
    Error::invalid("tenant_id", "not_an_operator", expected)
}

/// Notes the action in the trail of the job's tenant, whoever acts.
async fn note(tx: &mut JobsTx, action: &str, job: &JobState) -> Result<()> {
    match tx {
        JobsTx::Own(tx) => audit::record(tx, action, "job", job.id).await,
        JobsTx::All(tx) => audit::record_system(tx, job.tenant_id, action, "job", job.id).await,
    }
}
