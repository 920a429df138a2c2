//! The processes that hold jobs, and their heartbeats. Time here is always the database's, never simulated.

use sqlx::{PgConnection, PgExecutor, types::Uuid};

use crate::{Error, JobId};

/// How much a worker does, on average over the last minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    /// Runs that began, per second.
    pub(crate) started: f64,
    /// Jobs that ended for good, per second.
    pub(crate) finished: f64,
}

/// Registers a worker of `queue` under a new random id.
pub(crate) async fn register(executor: impl PgExecutor<'_>, queue: &str, host: &str) -> Result<Uuid, Error> {
    let id = sqlx::query_scalar!(
        "INSERT INTO queue.processes (queue, host) VALUES ($1, $2) RETURNING id",
        queue,
        host,
    )
    .fetch_one(executor)
    .await?;
    Ok(id)
}

/// Shows that the process lives, and how much it does; false if it was declared dead meanwhile.
pub(crate) async fn beat(conn: &mut PgConnection, process: Uuid, rates: Rates) -> Result<bool, Error> {
    let beaten = sqlx::query!(
        "UPDATE queue.processes
         SET seen_at = clock_timestamp(), started_per_second = $2, finished_per_second = $3
         WHERE id = $1 AND ended_at IS NULL",
        process,
        rates.started,
        rates.finished,
    )
    .execute(conn)
    .await?;
    Ok(beaten.rows_affected() > 0)
}

/// Ends a process that holds nothing any more.
pub(crate) async fn end(executor: impl PgExecutor<'_>, process: Uuid) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE queue.processes SET ended_at = clock_timestamp() WHERE id = $1 AND ended_at IS NULL",
        process,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Those of the jobs this process runs that someone wants cancelled.
pub(crate) async fn cancel_requests(
    conn: &mut PgConnection,
    queue: &str,
    process: Uuid,
    running: &[i64],
) -> Result<Vec<(JobId, i32)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id, lease AS "lease!" FROM queue.jobs
           WHERE queue = $1 AND id = ANY ($3) AND state = 'running' AND process_id = $2
             AND cancel_requested_at IS NOT NULL"#,
        queue,
        process,
        running,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (JobId(row.id), row.lease)).collect())
}
