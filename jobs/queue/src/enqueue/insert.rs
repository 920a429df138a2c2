//! The statement that inserts jobs, any number at once.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Uuid};

use super::NewJob;
use crate::{Error, JobId, clock::Clock, job::millis, trace};

/// One array per column, as `UNNEST` wants them.
#[derive(Default)]
struct Columns<'a> {
    queues: Vec<&'a str>,
    kinds: Vec<&'a str>,
    payloads: Vec<&'a Value>,
    tenants: Vec<Option<Uuid>>,
    run_at: Vec<Option<DateTime<Utc>>>,
    priorities: Vec<i16>,
    max_attempts: Vec<i16>,
    timeouts: Vec<i32>,
    backoff_bases: Vec<i32>,
    backoff_caps: Vec<i32>,
    keys: Vec<Option<&'a str>>,
    scopes: Vec<Option<&'static str>>,
    periods: Vec<Option<i64>>,
    retentions: Vec<i16>,
    rate_keys: Vec<Option<&'a str>>,
    traceparents: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(jobs: &[&'a NewJob], trace: Option<&'a str>) -> Self {
        let mut columns = Self::default();
        for job in jobs {
            columns.queues.push(&job.queue);
            columns.kinds.push(&job.kind);
            columns.payloads.push(&job.payload);
            columns.tenants.push(job.tenant);
            columns.run_at.push(job.run_at);
            columns.priorities.push(job.priority);
            columns.max_attempts.push(job.max_attempts);
            columns.timeouts.push(millis(job.timeout));
            columns.backoff_bases.push(millis(job.backoff.base));
            columns.backoff_caps.push(millis(job.backoff.cap));
            columns.keys.push(job.unique.as_ref().map(|u| u.key.as_str()));
            columns.scopes.push(job.unique.as_ref().map(|u| u.scope.name()));
            columns.periods.push(job.unique.as_ref().and_then(|u| u.scope.period_ms()));
            columns.retentions.push(job.retention.days());
            columns.rate_keys.push(job.rate_key.as_deref());
            columns.traceparents.push(trace.or(job.traceparent.as_deref()));
        }
        columns
    }
}

/// Inserts the jobs whose key, if any, is free; the others answer `None`.
#[expect(clippy::too_many_lines, reason = "one statement, told whole")]
pub(super) async fn insert(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    jobs: &[&NewJob],
    batch: Option<JobId>,
) -> Result<Vec<Option<JobId>>, Error> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    // Where it is enqueued by whoever made it, that is the nearer cause; a follow-up is enqueued by the queue, later.
    let trace = trace::current();
    let c = Columns::of(jobs, trace.as_deref());
    // Keys are inserted in one order everywhere, so that two batches wait for each other instead of deadlocking.
    let rows = sqlx::query_scalar!(
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($1, clock_timestamp()) AS now),
           input AS MATERIALIZED (
               SELECT nextval('queue.job_ids') AS id, moment.now, COALESCE(u.due_at, moment.now) AS run_at, u.*
               FROM moment, unnest(
                   $2::text[], $3::text[], $4::jsonb[], $5::uuid[], $6::timestamptz[], $7::smallint[], $8::smallint[],
                   $9::integer[], $10::integer[], $11::integer[], $12::text[], $13::text[], $14::bigint[],
                   $15::smallint[], $16::text[], $18::text[]
               ) WITH ORDINALITY AS u (
                   queue, kind, payload, tenant_id, due_at, priority, max_attempts,
                   timeout_ms, backoff_base_ms, backoff_cap_ms, key, scope, period_ms, keep_days, rate_key,
                   traceparent, ord)
           ),
           taken AS (
               INSERT INTO queue.unique_keys
                   (tenant_id, kind, key, scope, job_id, queue, body_hash, expires_at, created_at)
               SELECT COALESCE(tenant_id, '00000000-0000-0000-0000-000000000000'), kind, key, scope, id, queue,
                      sha256(convert_to(payload::text, 'UTF8')),
                      now + period_ms * interval '1 millisecond', now
               FROM input
               WHERE key IS NOT NULL
               ORDER BY tenant_id NULLS FIRST, kind, key, ord
               ON CONFLICT DO NOTHING
               RETURNING job_id
           ),
           inserted AS (
               INSERT INTO queue.jobs
                   (id, queue, kind, payload, tenant_id, state, priority, max_attempts, timeout_ms,
                    backoff_base_ms, backoff_cap_ms, keep_days, rate_key, batch_id, enqueued_at, run_at, traceparent)
               SELECT id, queue, kind, payload, tenant_id,
                      CASE WHEN run_at > now THEN 'scheduled' ELSE 'available' END::queue.job_state,
                      priority, max_attempts, timeout_ms, backoff_base_ms, backoff_cap_ms,
                      keep_days, rate_key, $17, now, run_at, traceparent
               FROM input
               WHERE key IS NULL OR id IN (SELECT job_id FROM taken)
               RETURNING id
           )
           SELECT inserted.id AS "id?" FROM input LEFT JOIN inserted USING (id) ORDER BY input.ord"#,
        clock.simulated(),
        &c.queues as _,
        &c.kinds as _,
        &c.payloads as _,
        &c.tenants as _,
        &c.run_at as _,
        &c.priorities,
        &c.max_attempts,
        &c.timeouts,
        &c.backoff_bases,
        &c.backoff_caps,
        &c.keys as _,
        &c.scopes as _,
        &c.periods as _,
        &c.retentions,
        &c.rate_keys as _,
        batch.map(|batch| batch.0),
        &c.traceparents as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|id| id.map(JobId)).collect())
}
