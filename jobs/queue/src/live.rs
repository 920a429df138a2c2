//! Tells which jobs are still to come to an end: for whoever keeps a record of what a job is to do.

use sqlx::PgConnection;

use crate::{Error, JobId};

/// Those of the jobs that have not ended, as far as the caller may see them.
pub async fn live_jobs(conn: &mut PgConnection, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let live =
        sqlx::query_scalar!("SELECT id FROM queue.jobs WHERE id = ANY ($1)", &ids).fetch_all(conn).await?;
    Ok(live.into_iter().map(JobId).collect())
}
