//! The queues of the platform, for its operators.

use axum::{Json, response::Response};
use permanence_domain::operations::{self, JobsTx, QueueLimits, QueueState};

use crate::{
    error::{CommonErrors, Result},
    extract::{Create, Empty, QueueName, QueuesRead, QueuesWrite, Read},
};

/// Every queue: its depth by state, how long the oldest job waits, its workers with what they do, limits, the day's dead.
#[utoipa::path(get, path = "/queues", tag = "queues", security(("bearer" = [])),
    responses((status = 200, body = Vec<QueueState>), CommonErrors))]
pub(crate) async fn list_queues(read: Read<QueuesRead>) -> Result<Json<Vec<QueueState>>> {
    let mut tx = read.tx.widen().await?;
    let queues = operations::list_queues(&mut tx).await?;
    tx.commit().await?;
    Ok(Json(queues))
}

/// Pause a queue until it is resumed: no worker claims from it, jobs that run go on.
#[utoipa::path(post, path = "/queues/{name}/pause", tag = "queues", security(("bearer" = [])),
    params(("name" = String, Path), ("Idempotency-Key" = String, Header)), responses((status = 204), CommonErrors))]
pub(crate) async fn pause_queue(
    QueueName(name): QueueName,
    create: Create<QueuesWrite, Empty>,
) -> Result<Response> {
    let (mut tx, Empty {}, answering) = create.for_platform().await?;
    operations::pause_queue(&mut tx, &name).await?;
    answering.done(JobsTx::All(tx)).await
}

/// Resume a paused queue.
#[utoipa::path(post, path = "/queues/{name}/resume", tag = "queues", security(("bearer" = [])),
    params(("name" = String, Path), ("Idempotency-Key" = String, Header)), responses((status = 204), CommonErrors))]
pub(crate) async fn resume_queue(
    QueueName(name): QueueName,
    create: Create<QueuesWrite, Empty>,
) -> Result<Response> {
    let (mut tx, Empty {}, answering) = create.for_platform().await?;
    operations::resume_queue(&mut tx, &name).await?;
    answering.done(JobsTx::All(tx)).await
}

/// Limit how many jobs of a queue run at once.
#[utoipa::path(post, path = "/queues/{name}/limits", tag = "queues", security(("bearer" = [])),
    request_body = QueueLimits, params(("name" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 204), CommonErrors))]
pub(crate) async fn limit_queue(
    QueueName(name): QueueName,
    create: Create<QueuesWrite, QueueLimits>,
) -> Result<Response> {
    let (mut tx, limits, answering) = create.for_platform().await?;
    operations::limit_queue(&mut tx, &name, limits).await?;
    answering.done(JobsTx::All(tx)).await
}
