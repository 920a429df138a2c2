//! Housekeeping, once an hour or so: history's partitions, released keys, old progress and forgotten processes.

use sqlx::PgConnection;

use crate::{Error, clock::Clock};

/// How many coming days have their history partition ready.
const DAYS_AHEAD: i32 = 7;
/// How long the rows of ended processes are kept for history to name them, and progress for its readers.
const DAYS_KEPT: i32 = 90;

/// What a round of maintenance did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintained {
    /// Partitions of history that were dropped.
    pub partitions_dropped: i32,
    /// Unique keys that nothing held any more.
    pub keys_released: u64,
    /// Progress of jobs that ended long ago.
    pub progress_forgotten: u64,
    /// Processes that ended long ago.
    pub processes_forgotten: u64,
}

/// Does what is to do; safe to call at any time, from any number of places.
pub async fn maintain(conn: &mut PgConnection, clock: &dyn Clock) -> Result<Maintained, Error> {
    let partitions_dropped = sqlx::query_scalar!(
        r#"SELECT queue.maintain_history(
               (COALESCE($1, clock_timestamp()) AT TIME ZONE 'UTC')::date, $2) AS "dropped!""#,
        clock.simulated(),
        DAYS_AHEAD,
    )
    .fetch_one(&mut *conn)
    .await?;
    Ok(Maintained {
        partitions_dropped,
        keys_released: release_keys(conn, clock).await?,
        progress_forgotten: forget_progress(conn, clock).await?,
        processes_forgotten: forget_processes(conn).await?,
    })
}

/// Deletes keys that the next enqueue would take over anyway. Keys taken for ever stay.
async fn release_keys(conn: &mut PgConnection, clock: &dyn Clock) -> Result<u64, Error> {
    let released = sqlx::query!(
        "DELETE FROM queue.unique_keys AS k
         WHERE k.scope = 'per_period' AND k.expires_at <= COALESCE($1, clock_timestamp())
            OR k.scope IN ('until_started', 'until_finished')
               AND NOT EXISTS (SELECT FROM queue.jobs AS j WHERE j.queue = k.queue AND j.id = k.job_id)",
        clock.simulated(),
    )
    .execute(conn)
    .await?;
    Ok(released.rows_affected())
}

async fn forget_progress(conn: &mut PgConnection, clock: &dyn Clock) -> Result<u64, Error> {
    let forgotten = sqlx::query!(
        "DELETE FROM queue.job_progress AS p
         WHERE p.updated_at < COALESCE($1, clock_timestamp()) - $2::integer * interval '1 day'
           AND NOT EXISTS (SELECT FROM queue.jobs AS j WHERE j.id = p.job_id)",
        clock.simulated(),
        DAYS_KEPT,
    )
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected())
}

/// A process that ended holds nothing after its rescue; until then its row is what makes its jobs orphans.
async fn forget_processes(conn: &mut PgConnection) -> Result<u64, Error> {
    let forgotten = sqlx::query!(
        "DELETE FROM queue.processes AS p
         WHERE p.ended_at < clock_timestamp() - $1::integer * interval '1 day'
           AND NOT EXISTS (SELECT FROM queue.jobs AS j
                           WHERE j.queue = p.queue AND j.state = 'running' AND j.process_id = p.id)",
        DAYS_KEPT,
    )
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected())
}
