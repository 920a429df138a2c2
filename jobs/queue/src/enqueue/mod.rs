//! Enqueues jobs in the caller's transaction, one or thousands in one statement.
//! It never wakes a worker: that is for after the commit, with [`Waker`](crate::Waker).

mod insert;
mod unique;

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Uuid};

use insert::insert;
pub use unique::{OnDuplicate, Unique};

use crate::{Backoff, Error, Job, JobId, Retention, clock::Clock, trace};

/// How often a batch is tried against keys that other transactions keep taking and giving up.
const KEY_TRIES: usize = 20;

/// A job to be enqueued.
#[derive(Clone, PartialEq)]
#[must_use = "a job is enqueued by `enqueue`"]
pub struct NewJob {
    pub(crate) queue: Cow<'static, str>,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) payload: Value,
    pub(crate) tenant: Option<Uuid>,
    run_at: Option<DateTime<Utc>>,
    pub(crate) priority: i16,
    pub(crate) max_attempts: i16,
    pub(crate) timeout: Duration,
    pub(crate) backoff: Backoff,
    unique: Option<Unique>,
    pub(crate) retention: Retention,
    pub(crate) rate_key: Option<Cow<'static, str>>,
    /// Where in which trace it was made.
    pub(crate) traceparent: Option<String>,
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
            retention: J::RETENTION,
            rate_key: J::RATE_KEY.map(Cow::Borrowed),
            traceparent: trace::current(),
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

    /// Overrides the kind's rate key; the job's queue must have lanes.
    pub fn rate_key(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.rate_key = Some(key.into());
        self
    }

    /// The queue the job goes to, to be woken after the commit.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The name of its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
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
    enqueue_into(conn, clock, &jobs, None).await
}

/// Enqueues jobs, as members of a batch if there is one.
pub(crate) async fn enqueue_into(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    jobs: &[NewJob],
    batch: Option<JobId>,
) -> Result<Vec<Enqueued>, Error> {
    let mut answers: Vec<Option<Enqueued>> = vec![None; jobs.len()];
    let mut open: Vec<usize> = (0..jobs.len()).collect();
    for _ in 0..KEY_TRIES {
        let wanted: Vec<&NewJob> = open.iter().map(|&index| &jobs[index]).collect();
        let inserted = insert(conn, clock, &wanted, batch).await?;
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
    let enqueued = answers.into_iter().collect::<Option<Vec<_>>>().ok_or(Error::Contended)?;
    let new = enqueued.iter().zip(jobs).filter(|(answer, _)| !answer.existing);
    count_enqueued(new.map(|(_, job)| (&*job.queue, &*job.kind)));
    Ok(enqueued)
}

/// Counts new jobs by queue and kind, as they are enqueued: the transaction is the caller's, and whether it commits is
/// never known here.
pub(crate) fn count_enqueued<'a>(jobs: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for job in jobs {
        *counts.entry(job).or_default() += 1;
    }
    for ((queue, kind), count) in counts {
        let labels = [("queue", queue.to_owned()), ("kind", kind.to_owned())];
        metrics::counter!("permanence_queue_enqueued_total", &labels).increment(count);
    }
}
