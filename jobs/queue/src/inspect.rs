//! Looking at jobs, live and ended: for operators and for whoever waits for one. Shows no payload.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Uuid};

use crate::{Error, JobId};

/// Which jobs are meant; each part that is given narrows them.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Jobs of one queue.
    pub queue: Option<String>,
    /// Jobs of one kind.
    pub kind: Option<String>,
    /// Jobs in one state, such as `retryable` or `discarded`.
    pub state: Option<String>,
    /// Jobs of one tenant.
    pub tenant: Option<Uuid>,
    /// Enqueued at or after.
    pub since: Option<DateTime<Utc>>,
    /// Enqueued before.
    pub until: Option<DateTime<Utc>>,
    /// Only those with a smaller id: the last one of the page before.
    pub before: Option<JobId>,
}

/// A job as it stands or as it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// The job.
    pub id: JobId,
    /// Its queue.
    pub queue: String,
    /// The name of its kind.
    pub kind: String,
    /// Its state, such as `scheduled` or `completed`.
    pub state: String,
    /// The tenant it belongs to.
    pub tenant: Option<Uuid>,
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
    /// One object per failed attempt: attempt, at, process, code, message.
    pub errors: Value,
    /// What it gave.
    pub output: Option<Value>,
    /// Units of its own that are done, where it reports them.
    pub done: Option<i64>,
    /// Units in all, where it knows.
    pub total: Option<i64>,
}

/// Finds jobs, the newest first; those that the caller's role may see.
pub async fn find_jobs(
    conn: &mut PgConnection,
    filter: &JobFilter,
    limit: i64,
) -> Result<Vec<JobView>, Error> {
    // Each half is cut by itself before the two are joined, so that neither is read whole.
    Ok(sqlx::query_as!(
        JobView,
        r#"WITH live AS (
               SELECT id, queue, kind, state, tenant_id, attempt, max_attempts, enqueued_at, run_at, started_at,
                      NULL::timestamptz AS finished_at, errors, NULL::jsonb AS output
               FROM queue.jobs
               WHERE ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR kind = $2)
                 AND ($3::text IS NULL OR state::text = $3) AND ($4::uuid IS NULL OR tenant_id = $4)
                 AND ($5::timestamptz IS NULL OR enqueued_at >= $5)
                 AND ($6::timestamptz IS NULL OR enqueued_at < $6) AND ($7::bigint IS NULL OR id < $7)
               ORDER BY id DESC LIMIT $8
           ), ended AS (
               SELECT id, queue, kind, state, tenant_id, attempt, max_attempts, enqueued_at, run_at, started_at,
                      finished_at, errors, output
               FROM queue.job_history
               WHERE ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR kind = $2)
                 AND ($3::text IS NULL OR state::text = $3) AND ($4::uuid IS NULL OR tenant_id = $4)
                 AND ($5::timestamptz IS NULL OR enqueued_at >= $5)
                 AND ($6::timestamptz IS NULL OR enqueued_at < $6) AND ($7::bigint IS NULL OR id < $7)
               ORDER BY id DESC LIMIT $8
           )
           SELECT j.id AS "id!: JobId", j.queue AS "queue!", j.kind AS "kind!", j.state::text AS "state!",
                  j.tenant_id AS tenant, j.attempt AS "attempt!", j.max_attempts AS "max_attempts!",
                  j.enqueued_at AS "enqueued_at!", j.run_at AS "run_at!", j.started_at, j.finished_at,
                  j.errors AS "errors!", j.output, p.done AS "done?", p.total AS "total?"
           FROM (SELECT * FROM live UNION ALL SELECT * FROM ended) AS j
           LEFT JOIN queue.job_progress AS p ON p.job_id = j.id
           ORDER BY j.id DESC LIMIT $8"#,
        filter.queue,
        filter.kind,
        filter.state,
        filter.tenant,
        filter.since,
        filter.until,
        filter.before.map(|id| id.0),
        limit,
    )
    .fetch_all(conn)
    .await?)
}

/// One job, live or ended; none if the caller's role may not see it.
pub async fn find_job(conn: &mut PgConnection, id: JobId) -> Result<Option<JobView>, Error> {
    Ok(sqlx::query_as!(
        JobView,
        r#"SELECT j.id AS "id!: JobId", j.queue AS "queue!", j.kind AS "kind!", j.state::text AS "state!",
                  j.tenant_id AS tenant, j.attempt AS "attempt!", j.max_attempts AS "max_attempts!",
                  j.enqueued_at AS "enqueued_at!", j.run_at AS "run_at!", j.started_at, j.finished_at,
                  j.errors AS "errors!", j.output, p.done AS "done?", p.total AS "total?"
           FROM (
               SELECT id, queue, kind, state, tenant_id, attempt, max_attempts, enqueued_at, run_at, started_at,
                      NULL::timestamptz AS finished_at, errors, NULL::jsonb AS output
               FROM queue.jobs WHERE id = $1
               UNION ALL
               SELECT id, queue, kind, state, tenant_id, attempt, max_attempts, enqueued_at, run_at, started_at,
                      finished_at, errors, output
               FROM queue.job_history WHERE id = $1
           ) AS j LEFT JOIN queue.job_progress AS p ON p.job_id = j.id
           LIMIT 1"#,
        id.0,
    )
    .fetch_optional(conn)
    .await?)
}
