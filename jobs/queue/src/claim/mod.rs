//! Claims available jobs: one autocommit statement per batch, each under a lease of its own.

mod lanes;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, types::Uuid};

pub(crate) use lanes::claim_in_lanes;

use crate::{Error, Failure, Job, JobId, clock::Clock};

/// The right to end one run of one job: it fences off every other run of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    pub(crate) queue: &'static str,
    pub(crate) job: JobId,
    pub(crate) process: Uuid,
    pub(crate) number: i32,
}

impl Lease {
    /// The job this lease is on.
    #[must_use]
    pub fn job(&self) -> JobId {
        self.job
    }
}

/// A job that this process holds, to be performed once.
#[derive(Clone)]
pub struct Claimed {
    /// The job.
    pub id: JobId,
    /// The queue it came from.
    pub queue: &'static str,
    /// The name of its kind.
    pub kind: String,
    /// Its arguments, as JSON; see [`Claimed::decode`].
    pub payload: Value,
    /// Which attempt this is, counted from one.
    pub attempt: i16,
    /// How many attempts it gets.
    pub max_attempts: i16,
    /// The tenant it belongs to.
    pub tenant: Option<Uuid>,
    /// Lower runs first.
    pub priority: i16,
    /// When it was enqueued.
    pub enqueued_at: DateTime<Utc>,
    /// When it was due.
    pub run_at: DateTime<Utc>,
    /// When it was claimed.
    pub started_at: DateTime<Utc>,
    /// How long this attempt may take.
    pub timeout: Duration,
    /// The right to complete it.
    pub lease: Lease,
    /// Where it was enqueued, in which trace; none where nobody traced.
    pub traceparent: Option<String>,
    /// The batch it is a member of.
    pub(crate) batch: Option<JobId>,
    /// Someone cancelled it between two runs.
    pub(crate) cancel_requested: bool,
}

impl Claimed {
    /// The payload as the type that declared it; a mismatch is a failed attempt, for another version may read it.
    pub fn decode<J: Job>(&self) -> Result<J, Failure> {
        // The decoder's message may quote the payload.
        J::deserialize(&self.payload)
            .map_err(|_| Failure::new("malformed_payload", format!("the payload is not a {}", J::KIND)))
    }
}

impl std::fmt::Debug for Claimed {
    // Without the payload, which belongs in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// Who claims: the claim's number makes each of its leases new, and lets it be undone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimant {
    pub(crate) queue: &'static str,
    pub(crate) process: Uuid,
    pub(crate) number: i32,
}

/// What a claim answers for each job: only what its run needs.
struct Row {
    id: i64,
    kind: String,
    payload: Value,
    attempt: i16,
    max_attempts: i16,
    tenant_id: Option<Uuid>,
    priority: i16,
    enqueued_at: DateTime<Utc>,
    run_at: DateTime<Utc>,
    started_at: DateTime<Utc>,
    timeout_ms: i32,
    batch_id: Option<i64>,
    traceparent: Option<String>,
    cancel_requested: bool,
}

impl Row {
    fn claimed(self, by: Claimant) -> Claimed {
        let id = JobId(self.id);
        Claimed {
            id,
            queue: by.queue,
            kind: self.kind,
            payload: self.payload,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            tenant: self.tenant_id,
            priority: self.priority,
            enqueued_at: self.enqueued_at,
            run_at: self.run_at,
            started_at: self.started_at,
            timeout: Duration::from_millis(u64::from(self.timeout_ms.unsigned_abs())),
            lease: Lease { queue: by.queue, job: id, process: by.process, number: by.number },
            traceparent: self.traceparent,
            batch: self.batch_id.map(JobId),
            cancel_requested: self.cancel_requested,
        }
    }
}

/// A place in the order in which a plain queue's jobs are claimed: by priority, then by id.
pub(crate) type Place = (i16, i64);

/// The place before all others.
pub(crate) const TOP: Place = (i16::MIN, i64::MIN);

/// Claims up to `limit` jobs of a plain queue that come after a place, in the order they should run.
pub(crate) async fn claim(
    executor: impl PgExecutor<'_>,
    clock: &dyn Clock,
    by: Claimant,
    after: Place,
    limit: i64,
) -> Result<Vec<Claimed>, Error> {
    // The literal state lets the partial index serve; locking in a CTE of its own keeps LIMIT exact under SKIP
    // LOCKED; an array keeps the planner from merging with an index full of scheduled jobs. A process that was
    // declared dead gets nothing, for nobody would look after it.
    let mut rows = sqlx::query_as!(
        Row,
        r#"WITH next AS MATERIALIZED (
               SELECT id FROM queue.jobs
               WHERE queue = $1 AND state = 'available' AND (priority, id) > ($6::smallint, $7::bigint)
                 AND (SELECT paused_at IS NULL AND NOT lanes FROM queue.queues WHERE name = $1)
                 AND (SELECT ended_at IS NULL FROM queue.processes WHERE id = $3)
               ORDER BY priority, id
               LIMIT $5
               FOR UPDATE SKIP LOCKED
           )
           UPDATE queue.jobs AS j
           SET state = 'running', attempt = j.attempt + 1, process_id = $3, lease = $4,
               started_at = COALESCE($2, clock_timestamp())
           WHERE j.queue = $1 AND j.id = ANY (ARRAY(SELECT id FROM next))
           RETURNING j.id, j.kind, j.payload, j.attempt, j.max_attempts, j.tenant_id, j.priority, j.enqueued_at,
                     j.run_at, j.started_at AS "started_at!", j.timeout_ms, j.batch_id, j.traceparent,
                     j.cancel_requested_at IS NOT NULL AS "cancel_requested!""#,
        by.queue,
        clock.simulated(),
        by.process,
        by.number,
        limit,
        after.0,
        after.1,
    )
    .fetch_all(executor)
    .await?;
    rows.sort_unstable_by_key(|row| (row.priority, row.id));
    Ok(rows.into_iter().map(|row| row.claimed(by)).collect())
}

/// Undoes claims whose answers were lost on the way: the jobs are available again, as if never claimed.
pub(crate) async fn undo(
    conn: &mut PgConnection,
    queue: &str,
    process: Uuid,
    numbers: &[i32],
) -> Result<u64, Error> {
    let undone = sqlx::query!(
        "UPDATE queue.jobs
         SET state = 'available', attempt = attempt - 1, process_id = NULL, lease = NULL, started_at = NULL
         WHERE queue = $1 AND state = 'running' AND process_id = $2 AND lease = ANY($3)",
        queue,
        process,
        numbers,
    )
    .execute(conn)
    .await?;
    Ok(undone.rows_affected())
}
