//! Dead letters: jobs that were discarded or cancelled are in history, and can be brought back to life by hand.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Uuid};

use crate::{Error, Failure, JobId, cancel::end_waiting, clock::Clock};

/// Which dead jobs are meant; each part that is given narrows them.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this tenant.
    pub tenant: Option<Uuid>,
    /// Whose last failure has this code.
    pub code: Option<String>,
    /// That ended at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// That ended before this time.
    pub until: Option<DateTime<Utc>>,
}

/// A job that came back to life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revived {
    /// The job; its id is what it was.
    pub id: JobId,
    /// Its queue, to be woken after the commit.
    pub queue: String,
    /// The tenant it belongs to.
    pub tenant: Option<Uuid>,
}

/// Brings one discarded or cancelled job back to life, due now, with all its attempts; false if there is none.
///
/// It keeps its id and its errors. Needs the queue's or the system's role.
pub async fn retry(conn: &mut PgConnection, clock: &dyn Clock, id: JobId) -> Result<bool, Error> {
    Ok(!revive(conn, clock, Some(id), &DeadFilter::default(), 1).await?.is_empty())
}

/// Brings up to `limit` discarded jobs back to life, the oldest first; answers which. Repeat it until it answers none.
pub async fn retry_all(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    filter: &DeadFilter,
    limit: i64,
) -> Result<Vec<Revived>, Error> {
    revive(conn, clock, None, filter, limit).await
}

/// Ends a waiting job as discarded; false if no waiting job of that id is visible to the caller.
pub async fn discard(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    id: JobId,
    reason: Failure,
) -> Result<bool, Error> {
    end_waiting(conn, clock, id, "discarded", Some(&reason)).await
}

async fn revive(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    id: Option<JobId>,
    filter: &DeadFilter,
    limit: i64,
) -> Result<Vec<Revived>, Error> {
    // A job that is cancelled was unwanted: it comes back only when it is named. Its batch is over, so it is left.
    Ok(sqlx::query_as!(
        Revived,
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($1, clock_timestamp()) AS now),
           dead AS (
               DELETE FROM queue.job_history
               WHERE (keep_days, finished_at, id) IN (
                   SELECT keep_days, finished_at, id FROM queue.job_history
                   WHERE state IN ('discarded', 'cancelled')
                     AND ($2::bigint IS NULL AND state = 'discarded' OR id = $2)
                     AND ($3::text IS NULL OR queue = $3)
                     AND ($4::text IS NULL OR kind = $4)
                     AND ($5::uuid IS NULL OR tenant_id = $5)
                     AND ($6::text IS NULL OR errors -> -1 ->> 'code' = $6)
                     AND ($7::timestamptz IS NULL OR finished_at >= $7)
                     AND ($8::timestamptz IS NULL OR finished_at < $8)
                   ORDER BY finished_at, id LIMIT $9
                   FOR UPDATE SKIP LOCKED)
               RETURNING *
           )
           INSERT INTO queue.jobs
               (id, queue, kind, payload, tenant_id, state, priority, max_attempts, timeout_ms, backoff_base_ms,
                backoff_cap_ms, keep_days, rate_key, enqueued_at, run_at, errors, traceparent)
           SELECT id, queue, kind, payload, tenant_id, 'available', priority, max_attempts, timeout_ms,
                  backoff_base_ms, backoff_cap_ms, keep_days, rate_key, enqueued_at, now, errors, traceparent
           FROM dead, moment
           RETURNING id AS "id: JobId", queue, tenant_id AS tenant"#,
        clock.simulated(),
        id.map(|id| id.0),
        filter.queue,
        filter.kind,
        filter.tenant,
        filter.code,
        filter.since,
        filter.until,
        limit,
    )
    .fetch_all(conn)
    .await?)
}
