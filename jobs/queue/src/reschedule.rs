//! Moves a waiting job to another time.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Error, JobId, clock::Clock};

/// What a rescheduling came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rescheduled {
    /// The job is due at the new time.
    Moved,
    /// No waiting job of that id is visible to the caller: it runs, has ended, or never was.
    NotWaiting,
}

/// Makes a waiting job due at `run_at`, in the caller's transaction.
pub async fn reschedule(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    id: JobId,
    run_at: DateTime<Utc>,
) -> Result<Rescheduled, Error> {
    let moved = sqlx::query!(
        r#"UPDATE queue.jobs
           SET run_at = $2,
               state = CASE WHEN $2 > COALESCE($3, clock_timestamp()) THEN 'scheduled'
                            ELSE 'available' END::queue.job_state
           WHERE id = $1 AND state <> 'running'"#,
        id.0,
        run_at,
        clock.simulated(),
    )
    .execute(conn)
    .await?;
    Ok(if moved.rows_affected() > 0 { Rescheduled::Moved } else { Rescheduled::NotWaiting })
}
