//! What happens in the background: seen, waited for, retried, cancelled. A tenant's members reach its own jobs,
//! operators of the platform all of them.

pub(crate) mod links;

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{
        Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, stream};
use permanence_domain::operations::{self, JobQuery, JobsTx, Retried, RetryJobs};

use self::links::{LinkedJob, LinkedJobs};
use crate::{
    error::{CommonErrors, Result},
    extract::{Caller, Create, Empty, JobNumber, JobsRead, JobsWrite, Permission, Query, Read},
    state::App,
};

/// How often a watched job is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Find jobs, the newest first; the next page begins before `next`.
#[utoipa::path(get, path = "/jobs", tag = "jobs", security(("bearer" = [])), params(JobQuery),
    responses((status = 200, body = LinkedJobs), CommonErrors))]
pub(crate) async fn list_jobs(
    read: Read<JobsRead>,
    Query(query): Query<JobQuery>,
) -> Result<Json<LinkedJobs>> {
    let mut tx = JobsTx::of(read.tx, read.role).await?;
    let jobs = operations::list_jobs(&mut tx, &query).await?;
    tx.commit().await?;
    Ok(Json(LinkedJobs::of(jobs, read.role)))
}

/// One job: state, progress, attempts with their errors, output.
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 200, body = LinkedJob), CommonErrors))]
pub(crate) async fn get_job(read: Read<JobsRead>, JobNumber(id): JobNumber) -> Result<Json<LinkedJob>> {
    let mut tx = JobsTx::of(read.tx, read.role).await?;
    let job = operations::get_job(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(LinkedJob::of(job, read.role)))
}

/// Bring a discarded or cancelled job back to life, with all its attempts.
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "jobs", security(("bearer" = [])),
    params(("id" = i64, Path), ("Idempotency-Key" = String, Header)), responses((status = 204), CommonErrors))]
pub(crate) async fn retry_job(
    JobNumber(id): JobNumber,
    create: Create<JobsWrite, Empty>,
) -> Result<Response> {
    let (tx, Empty {}, answering) = create.for_jobs().await?;
    let tx = operations::retry_job(tx, id).await?;
    answering.done(JobsTx::All(tx)).await
}

/// Bring discarded jobs back to life, the oldest first, at most a thousand at once.
#[utoipa::path(post, path = "/jobs/retry", tag = "jobs", security(("bearer" = [])), request_body = RetryJobs,
    params(("Idempotency-Key" = String, Header)), responses((status = 200, body = Retried), CommonErrors))]
pub(crate) async fn retry_jobs(create: Create<JobsWrite, RetryJobs>) -> Result<Response> {
    let (tx, request, answering) = create.for_jobs().await?;
    let (tx, retried) = operations::retry_jobs(tx, &request).await?;
    answering.ok(JobsTx::All(tx), &retried).await
}

/// Take a waiting job back, or ask a running one to stop; what has ended stays as it is.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "jobs", security(("bearer" = [])),
    params(("id" = i64, Path), ("Idempotency-Key" = String, Header)), responses((status = 204), CommonErrors))]
pub(crate) async fn cancel_job(
    JobNumber(id): JobNumber,
    create: Create<JobsWrite, Empty>,
) -> Result<Response> {
    let (mut tx, Empty {}, answering) = create.for_jobs().await?;
    operations::cancel_job(&mut tx, id).await?;
    answering.done(tx).await
}

/// End a waiting job for good.
#[utoipa::path(post, path = "/jobs/{id}/discard", tag = "jobs", security(("bearer" = [])),
    params(("id" = i64, Path), ("Idempotency-Key" = String, Header)), responses((status = 204), CommonErrors))]
pub(crate) async fn discard_job(
    JobNumber(id): JobNumber,
    create: Create<JobsWrite, Empty>,
) -> Result<Response> {
    let (mut tx, Empty {}, answering) = create.for_jobs().await?;
    operations::discard_job(&mut tx, id).await?;
    answering.done(tx).await
}

/// A watched job: who watches, which one, and what was told last.
struct Watch {
    app: App,
    caller: Caller,
    id: i64,
    told: String,
    over: bool,
}

impl Watch {
    /// Looks once, as the caller may at this moment: a closed session ends the stream.
    async fn look(&self) -> Result<LinkedJob> {
        let (tx, role) = self.caller.open(&self.app, JobsRead::SCOPE).await?;
        let mut tx = JobsTx::of(tx, role).await?;
        let job = operations::get_job(&mut tx, self.id).await?;
        tx.commit().await?;
        Ok(LinkedJob::of(job, role))
    }

    /// The next change of the job; none once it has ended or may not be seen any more.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        while !self.over {
            let job = self.look().await.ok()?;
            let now = serde_json::to_string(&job).ok()?;
            if now != self.told {
                self.over = job.is_over();
                let name = if self.over { "end" } else { "change" };
                let event = Event::default().event(name).data(&now);
                self.told = now;
                return Some((Ok(event), self));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        None
    }
}

/// Follow a job: an event `change` with the job at each change, and `end` when it has ended (server-sent events).
#[utoipa::path(get, path = "/jobs/{id}/events", tag = "jobs", security(("bearer" = [])), params(("id" = i64, Path)),
    responses((status = 200, content_type = "text/event-stream", body = LinkedJob), CommonErrors))]
pub(crate) async fn watch_job(
    State(app): State<App>,
    caller: Caller,
    JobNumber(id): JobNumber,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let watch = Watch { app, caller, id, told: String::new(), over: false };
    // A job that may not be seen is told as an answer, not as an empty stream.
    watch.look().await?;
    Ok(Sse::new(stream::unfold(watch, Watch::next)).keep_alive(KeepAlive::default()))
}
