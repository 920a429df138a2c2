//! Ends runs, many in one statement, each fenced by its lease: what a stale lease asks for changes nothing.

use std::time::Duration;

use serde_json::Value;
use sqlx::{PgConnection, types::Uuid};

use crate::{Error, Failure, Lease, Outcome, clock::Clock, job::millis};

/// What becomes of a job whose run ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    /// It moves to history in a final state.
    Ends { state: &'static str, output: Option<Value>, failure: Option<Failure> },
    /// It waits for another run.
    Waits { state: &'static str, wait: Wait, refund: bool, failure: Option<Failure> },
}

/// How long a job waits for its next run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wait {
    Backoff,
    For(Duration),
    /// Its due time stays what it was: it runs as soon as it can.
    None,
}

/// A run that ended, and what its worker wants done.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) lease: Lease,
    pub(crate) fate: Fate,
}

impl Fate {
    /// The fate a handler's outcome leads to; none if the handler completed the job itself.
    pub(crate) fn of(outcome: Outcome, last: bool, cancelled: bool) -> Option<Self> {
        match outcome {
            Outcome::Completed => None,
            Outcome::Done(output) | Outcome::DoneThen(output, _) => {
                Some(Self::Ends { state: "completed", output, failure: None })
            }
            // Someone asked for it while it ran; an unfinished job then never runs again.
            Outcome::Retry(failure) if cancelled => Some(Self::cancelled(Some(failure))),
            Outcome::Snooze(_) if cancelled => Some(Self::cancelled(None)),
            Outcome::Cancel(reason) => Some(Self::cancelled(Some(Failure::new("cancelled", reason)))),
            Outcome::Discard(failure) => Some(Self::discarded(failure)),
            Outcome::Retry(failure) if last => Some(Self::discarded(failure)),
            Outcome::Retry(failure) => Some(Self::Waits {
                state: "retryable",
                wait: Wait::Backoff,
                refund: false,
                failure: Some(failure),
            }),
            Outcome::Snooze(wait) => {
                Some(Self::Waits { state: "scheduled", wait: Wait::For(wait), refund: true, failure: None })
            }
        }
    }

    /// The run never really happened: the job is available again and its attempt restored.
    pub(crate) fn handed_back() -> Self {
        Self::Waits { state: "available", wait: Wait::None, refund: true, failure: None }
    }

    /// The run's process died: the job runs elsewhere at once, unless this was its last attempt.
    pub(crate) fn lost(last: bool) -> Self {
        if last {
            return Self::discarded(Failure::lost());
        }
        Self::Waits { state: "available", wait: Wait::None, refund: false, failure: Some(Failure::lost()) }
    }

    /// The state the job is left in.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ends { state, .. } | Self::Waits { state, .. } => state,
        }
    }

    /// The code of what a job died of, where it does.
    pub(crate) fn dead_of(&self) -> Option<&str> {
        match self {
            Self::Ends { state: "discarded", failure: Some(failure), .. } => Some(&failure.code),
            _ => None,
        }
    }

    fn cancelled(failure: Option<Failure>) -> Self {
        Self::Ends { state: "cancelled", output: None, failure }
    }

    fn discarded(failure: Failure) -> Self {
        Self::Ends { state: "discarded", output: None, failure: Some(failure) }
    }
}

/// Settles runs of one queue, and answers how many leases were current.
pub(crate) async fn settle(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    queue: &str,
    batch: &[Settled],
) -> Result<usize, Error> {
    let mut ends = Ends::default();
    let mut waits = Waits::default();
    for settled in batch {
        match &settled.fate {
            Fate::Ends { state, output, failure } => {
                ends.fences.push(settled.lease);
                ends.states.push(state);
                ends.outputs.push(output.as_ref());
                ends.failures.push(failure.as_ref());
            }
            Fate::Waits { state, wait, refund, failure } => {
                waits.fences.push(settled.lease);
                waits.states.push(state);
                waits.backoffs.push(*wait == Wait::Backoff);
                waits.millis.push(if let Wait::For(wait) = wait { Some(millis(*wait)) } else { None });
                waits.refunds.push(i16::from(*refund));
                waits.failures.push(failure.as_ref());
            }
        }
    }
    Ok(end(conn, clock, queue, &ends).await? + wait(conn, clock, queue, &waits).await?)
}

/// The leases' columns.
#[derive(Default)]
struct Fences {
    ids: Vec<i64>,
    processes: Vec<Uuid>,
    numbers: Vec<i32>,
}

impl Fences {
    fn push(&mut self, lease: Lease) {
        self.ids.push(lease.job.0);
        self.processes.push(lease.process);
        self.numbers.push(lease.number);
    }
}

/// The failures' columns.
#[derive(Default)]
struct Failures<'a> {
    codes: Vec<Option<&'a str>>,
    messages: Vec<Option<&'a str>>,
}

impl<'a> Failures<'a> {
    fn push(&mut self, failure: Option<&'a Failure>) {
        self.codes.push(failure.map(|f| &*f.code));
        self.messages.push(failure.map(|f| f.message.as_str()));
    }
}

#[derive(Default)]
struct Ends<'a> {
    fences: Fences,
    states: Vec<&'static str>,
    outputs: Vec<Option<&'a Value>>,
    failures: Failures<'a>,
}

#[derive(Default)]
struct Waits<'a> {
    fences: Fences,
    states: Vec<&'static str>,
    backoffs: Vec<bool>,
    millis: Vec<Option<i32>>,
    refunds: Vec<i16>,
    failures: Failures<'a>,
}

/// Moves ended jobs from the live table to history, in one statement.
async fn end(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    queue: &str,
    ends: &Ends<'_>,
) -> Result<usize, Error> {
    if ends.states.is_empty() {
        return Ok(0);
    }
    // `= ANY` besides the join: whatever the statistics say, the ids are looked up and the table is not scanned.
    let moved = sqlx::query!(
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($2, clock_timestamp()) AS now),
           ended AS (
               DELETE FROM queue.jobs AS j
               USING unnest($3::bigint[], $4::uuid[], $5::integer[], $6::text[], $7::jsonb[], $8::text[], $9::text[])
                     AS e (id, process_id, lease, state, output, code, message)
               WHERE j.queue = $1 AND j.id = ANY ($3) AND j.id = e.id AND j.state = 'running'
                 AND j.process_id = e.process_id AND j.lease = e.lease
               RETURNING j.id, j.queue, j.kind, j.payload, j.tenant_id, j.priority, j.attempt, j.max_attempts,
                         j.timeout_ms, j.backoff_base_ms, j.backoff_cap_ms, j.keep_days, j.rate_key, j.batch_id, j.enqueued_at, j.run_at, j.started_at,
                         j.process_id, j.errors, j.traceparent, e.state AS final_state, e.output, e.code, e.message
           )
           INSERT INTO queue.job_history
               (id, queue, kind, payload, tenant_id, state, priority, attempt, max_attempts, timeout_ms,
                backoff_base_ms, backoff_cap_ms, keep_days, rate_key, batch_id, enqueued_at, run_at, started_at, process_id, errors, finished_at,
                output, traceparent)
           SELECT id, queue, kind, payload, tenant_id, final_state::queue.job_state, priority, attempt, max_attempts,
                  timeout_ms, backoff_base_ms, backoff_cap_ms, keep_days, rate_key, batch_id, enqueued_at, run_at, started_at, process_id,
                  CASE WHEN code IS NULL THEN errors ELSE errors || jsonb_build_object(
                      'attempt', attempt, 'at', now, 'process', process_id, 'code', code, 'message', message) END,
                  now, output, traceparent
           FROM ended, moment"#,
        queue,
        clock.simulated(),
        &ends.fences.ids,
        &ends.fences.processes,
        &ends.fences.numbers,
        &ends.states as _,
        &ends.outputs as _,
        &ends.failures.codes as _,
        &ends.failures.messages as _,
    )
    .execute(conn)
    .await?;
    Ok(usize::try_from(moved.rows_affected()).unwrap_or(usize::MAX))
}

/// Lets jobs wait for another run, in one statement.
async fn wait(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    queue: &str,
    waits: &Waits<'_>,
) -> Result<usize, Error> {
    if waits.states.is_empty() {
        return Ok(0);
    }
    // A cancelled job waits for nothing: the next claim ends it.
    let updated = sqlx::query!(
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($2, clock_timestamp()) AS now)
           UPDATE queue.jobs AS j
           SET state = e.state::queue.job_state,
               run_at = CASE
                   WHEN cancel_requested_at IS NOT NULL THEN now
                   WHEN e.backoff THEN now + interval '1 millisecond' * (0.75 + random() / 2)
                        * least(j.backoff_cap_ms, j.backoff_base_ms * power(2.0, least(j.attempt - 1, 40)))
                   ELSE COALESCE(now + e.wait_ms * interval '1 millisecond', j.run_at)
               END,
               attempt = j.attempt - e.refund,
               errors = CASE WHEN e.code IS NULL THEN j.errors ELSE j.errors || jsonb_build_object(
                   'attempt', j.attempt, 'at', now, 'process', j.process_id, 'code', e.code, 'message', e.message)
               END,
               process_id = NULL, lease = NULL, started_at = NULL
           FROM moment,
                unnest($3::bigint[], $4::uuid[], $5::integer[], $6::text[], $7::boolean[], $8::integer[],
                       $9::smallint[], $10::text[], $11::text[])
                    AS e (id, process_id, lease, state, backoff, wait_ms, refund, code, message)
           WHERE j.queue = $1 AND j.id = ANY ($3) AND j.id = e.id AND j.state = 'running'
             AND j.process_id = e.process_id AND j.lease = e.lease"#,
        queue,
        clock.simulated(),
        &waits.fences.ids,
        &waits.fences.processes,
        &waits.fences.numbers,
        &waits.states as _,
        &waits.backoffs,
        &waits.millis as _,
        &waits.refunds,
        &waits.failures.codes as _,
        &waits.failures.messages as _,
    )
    .execute(conn)
    .await?;
    Ok(usize::try_from(updated.rows_affected()).unwrap_or(usize::MAX))
}
