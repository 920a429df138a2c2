//! How far a running job has come, for whoever waits for it.

use sqlx::PgConnection;

use crate::{Error, JobId, Lease, clock::Clock};

/// How much of a job is done, in units of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Units done.
    pub done: i64,
    /// Units in all, where that is known.
    pub total: Option<i64>,
}

/// Reports the progress of a run; [`Error::StaleLease`] if the job runs elsewhere by now.
///
/// On a connection outside the business transaction, or nobody sees it before the end.
pub async fn report_progress(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    lease: &Lease,
    progress: Progress,
) -> Result<(), Error> {
    let reported = sqlx::query!(
        "INSERT INTO queue.job_progress (job_id, tenant_id, done, total, updated_at)
         SELECT id, tenant_id, $6, $7, COALESCE($1, clock_timestamp())
         FROM queue.jobs
         WHERE queue = $2 AND id = $3 AND state = 'running' AND process_id = $4 AND lease = $5
         ON CONFLICT (job_id) DO UPDATE
         SET done = excluded.done, total = excluded.total, updated_at = excluded.updated_at",
        clock.simulated(),
        lease.queue,
        lease.job.0,
        lease.process,
        lease.number,
        progress.done,
        progress.total,
    )
    .execute(conn)
    .await?;
    if reported.rows_affected() == 0 { Err(Error::StaleLease) } else { Ok(()) }
}

/// The last progress a job reported, if the caller may see the job; kept until the job's history is.
pub async fn progress(conn: &mut PgConnection, id: JobId) -> Result<Option<Progress>, Error> {
    let row = sqlx::query_as!(Progress, "SELECT done, total FROM queue.job_progress WHERE job_id = $1", id.0)
        .fetch_optional(conn)
        .await?;
    Ok(row)
}
