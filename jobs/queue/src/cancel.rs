//! Cancels a job: one that waits ends at once, one that runs is asked to stop.

use sqlx::PgConnection;

use crate::{Error, Failure, JobId, clock::Clock};

/// What a cancellation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// The job was waiting and will not run.
    Ended,
    /// The job is running; its worker is asked to stop it.
    Requested,
    /// No live job of that id is visible to the caller.
    NotFound,
}

/// Cancels a job the caller can see, in the caller's transaction.
pub async fn cancel(conn: &mut PgConnection, clock: &dyn Clock, id: JobId) -> Result<Cancelled, Error> {
    if end_waiting(conn, clock, id, "cancelled", None).await? {
        return Ok(Cancelled::Ended);
    }
    let requested = sqlx::query!(
        "UPDATE queue.jobs SET cancel_requested_at = COALESCE($2, clock_timestamp())
         WHERE id = $1 AND state = 'running'",
        id.0,
        clock.simulated(),
    )
    .execute(&mut *conn)
    .await?;
    if requested.rows_affected() > 0 {
        return Ok(Cancelled::Requested);
    }
    // Between the two statements the run may have failed, and the job be waiting again.
    Ok(if end_waiting(conn, clock, id, "cancelled", None).await? {
        Cancelled::Ended
    } else {
        Cancelled::NotFound
    })
}

/// Moves a waiting job to history; false if there is none the caller can see.
pub(crate) async fn end_waiting(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    id: JobId,
    state: &'static str,
    failure: Option<&Failure>,
) -> Result<bool, Error> {
    let moved = sqlx::query!(
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($2, clock_timestamp()) AS now),
           ended AS (
               DELETE FROM queue.jobs WHERE id = $1 AND state <> 'running'
               RETURNING id, queue, kind, payload, tenant_id, priority, attempt, max_attempts, timeout_ms,
                         backoff_base_ms, backoff_cap_ms, keep_days, rate_key, batch_id, enqueued_at, run_at, errors,
                         traceparent
           )
           INSERT INTO queue.job_history
               (id, queue, kind, payload, tenant_id, state, priority, attempt, max_attempts, timeout_ms,
                backoff_base_ms, backoff_cap_ms, keep_days, rate_key, batch_id, enqueued_at, run_at, errors, finished_at,
                traceparent)
           SELECT id, queue, kind, payload, tenant_id, ($3::text)::queue.job_state, priority, attempt, max_attempts, timeout_ms,
                  backoff_base_ms, backoff_cap_ms, keep_days, rate_key, batch_id, enqueued_at, run_at,
                  CASE WHEN $4::text IS NULL THEN errors ELSE errors || jsonb_build_object(
                      'attempt', attempt, 'at', now, 'code', $4::text, 'message', $5::text) END,
                  now, traceparent
           FROM ended, moment"#,
        id.0,
        clock.simulated(),
        state,
        failure.map(|failure| &*failure.code),
        failure.map(|failure| failure.message.as_str()),
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() > 0)
}
