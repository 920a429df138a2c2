//! Enqueues jobs in the caller's transaction, one or thousands in one statement.
//! It never wakes a worker: that is for after the commit, with [`Waker`](crate::Waker).

mod unique;

use std::{borrow::Cow, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Uuid};

pub use unique::{OnDuplicate, Unique};

use crate::{Backoff, Error, Job, JobId, clock::Clock, job::millis};

/// How often a batch is tried against keys that other transactions keep taking and giving up.
const KEY_TRIES: usize = 20;

/// A job to be enqueued.
#[derive(Clone)]
#[must_use = "a job is enqueued by `enqueue`"]
pub struct NewJob {
    queue: Cow<'static, str>,
    kind: Cow<'static, str>,
    payload: Value,
    tenant: Option<Uuid>,
    run_at: Option<DateTime<Utc>>,
    priority: i16,
    max_attempts: i16,
    timeout: Duration,
    backoff: Backoff,
    unique: Option<Unique>,
}

impl NewJob {
    /// A job with the policy of its kind, due at once.
    pub fn of<J: Job>(job: &J) -> Result<Self, Error> {
        Ok(Self {
            queue: J::QUEUE.into(),
            kind: J::KIND.into(),
            payload: serde_json::to_value(job)?,
            tenant: None,
            run_at: None,
            priority: J::PRIORITY,
            max_attempts: J::MAX_ATTEMPTS,
            timeout: J::TIMEOUT,
            backoff: J::BACKOFF,
            unique: None,
        })
    }

    /// Gives the job to a tenant, who may read and cancel it.
    pub fn tenant(mut self, tenant: Uuid) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Makes the job due at `run_at`.
    pub fn run_at(mut self, run_at: DateTime<Utc>) -> Self {
        self.run_at = Some(run_at);
        self
    }

    /// Overrides the kind's priority; lower runs first.
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// Lets at most one job hold a key at a time.
    pub fn unique(mut self, unique: Unique) -> Self {
        self.unique = Some(unique);
        self
    }

    /// The queue the job goes to, to be woken after the commit.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    pub(crate) fn unique_unless_said(mut self, unique: Unique) -> Self {
        self.unique.get_or_insert(unique);
        self
    }
}

impl std::fmt::Debug for NewJob {
    // Without the payload, which belongs in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewJob").field("queue", &self.queue).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What became of a job that was enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// The new job, or the one that already held its key.
    pub id: JobId,
    /// Whether the job existed already.
    pub existing: bool,
}

/// Enqueues a job in the caller's transaction; a duplicate returns the job that holds its key.
pub async fn enqueue(conn: &mut PgConnection, clock: &dyn Clock, job: NewJob) -> Result<Enqueued, Error> {
    let mut enqueued = enqueue_all(conn, clock, vec![job]).await?;
    enqueued.pop().ok_or(Error::Contended)
}

/// Enqueues any number of jobs in one statement, and answers in their order.
pub async fn enqueue_all(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    jobs: Vec<NewJob>,
) -> Result<Vec<Enqueued>, Error> {
    let mut answers: Vec<Option<Enqueued>> = vec![None; jobs.len()];
    let mut open: Vec<usize> = (0..jobs.len()).collect();
    for _ in 0..KEY_TRIES {
        let batch: Vec<&NewJob> = open.iter().map(|&index| &jobs[index]).collect();
        let inserted = insert(conn, clock, &batch).await?;
        let mut still_open = Vec::new();
        for (index, id) in open.into_iter().zip(inserted) {
            answers[index] = match (id, &jobs[index].unique) {
                (Some(id), _) => Some(Enqueued { id, existing: false }),
                (None, Some(unique)) => unique::holder(conn, clock, &jobs[index], unique)
                    .await?
                    .map(|id| Enqueued { id, existing: true }),
                (None, None) => None,
            };
            if answers[index].is_none() {
                still_open.push(index);
            }
        }
        open = still_open;
        if open.is_empty() {
            break;
        }
    }
    answers.into_iter().collect::<Option<Vec<_>>>().ok_or(Error::Contended)
}

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
}

impl<'a> Columns<'a> {
    fn of(jobs: &[&'a NewJob]) -> Self {
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
        }
        columns
    }
}

/// Inserts the jobs whose key, if any, is free; the others answer `None`.
async fn insert(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    jobs: &[&NewJob],
) -> Result<Vec<Option<JobId>>, Error> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let c = Columns::of(jobs);
    // Keys are inserted in one order everywhere, so that two batches wait for each other instead of deadlocking.
    let rows = sqlx::query_scalar!(
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($1, clock_timestamp()) AS now),
           input AS MATERIALIZED (
               SELECT nextval('queue.job_ids') AS id, moment.now, COALESCE(u.due_at, moment.now) AS run_at, u.*
               FROM moment, unnest(
                   $2::text[], $3::text[], $4::jsonb[], $5::uuid[], $6::timestamptz[], $7::smallint[], $8::smallint[],
                   $9::integer[], $10::integer[], $11::integer[], $12::text[], $13::text[], $14::bigint[]
               ) WITH ORDINALITY AS u (
                   queue, kind, payload, tenant_id, due_at, priority, max_attempts,
                   timeout_ms, backoff_base_ms, backoff_cap_ms, key, scope, period_ms, ord)
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
                    backoff_base_ms, backoff_cap_ms, enqueued_at, run_at)
               SELECT id, queue, kind, payload, tenant_id,
                      CASE WHEN run_at > now THEN 'scheduled' ELSE 'available' END::queue.job_state,
                      priority, max_attempts, timeout_ms, backoff_base_ms, backoff_cap_ms, now, run_at
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
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|id| id.map(JobId)).collect())
}
