//! Unique jobs: how long a key stays taken, and what a duplicate does to the job that holds it.

use std::time::Duration;

use sqlx::{PgConnection, types::Uuid};

use super::NewJob;
use crate::{Error, JobId, clock::Clock};

/// A key that at most one job of its kind and tenant holds, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    pub(super) key: String,
    pub(super) scope: Scope,
    pub(super) on_duplicate: OnDuplicate,
}

/// What a duplicate does to the job that holds its key and has not started yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDuplicate {
    /// Leaves it as it is.
    #[default]
    Keep,
    /// Gives it the new payload and priority.
    Replace,
    /// Gives it the new payload and priority, and moves it to the new due time.
    Debounce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    UntilStarted,
    UntilFinished,
    PerPeriod(Duration),
    Forever,
}

impl Unique {
    /// The key is taken while a job waits: whatever the enqueuing transaction wrote, a run that starts later sees.
    #[must_use]
    pub fn until_started(key: impl Into<String>) -> Self {
        Self::scoped(key, Scope::UntilStarted)
    }

    /// The key is taken until the job is completed, cancelled or discarded.
    #[must_use]
    pub fn until_finished(key: impl Into<String>) -> Self {
        Self::scoped(key, Scope::UntilFinished)
    }

    /// The key is taken for `period` from the first enqueue.
    #[must_use]
    pub fn per_period(key: impl Into<String>, period: Duration) -> Self {
        Self::scoped(key, Scope::PerPeriod(period))
    }

    /// The key is taken for ever, and the same key with another payload is [`Error::Conflict`].
    #[must_use]
    pub fn forever(key: impl Into<String>) -> Self {
        Self::scoped(key, Scope::Forever)
    }

    /// Says what a duplicate does to the waiting job.
    #[must_use]
    pub fn on_duplicate(mut self, on_duplicate: OnDuplicate) -> Self {
        self.on_duplicate = on_duplicate;
        self
    }

    fn scoped(key: impl Into<String>, scope: Scope) -> Self {
        Self { key: key.into(), scope, on_duplicate: OnDuplicate::Keep }
    }
}

impl Scope {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UntilStarted => "until_started",
            Self::UntilFinished => "until_finished",
            Self::PerPeriod(_) => "per_period",
            Self::Forever => "forever",
        }
    }

    pub(super) fn period_ms(self) -> Option<i64> {
        match self {
            Self::PerPeriod(period) => Some(i64::try_from(period.as_millis()).unwrap_or(i64::MAX)),
            _ => None,
        }
    }
}

/// Decides about a job whose key is taken: the job that holds it, or `None` if the key was free to be given up.
pub(super) async fn holder(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    job: &NewJob,
    unique: &Unique,
) -> Result<Option<JobId>, Error> {
    let tenant = job.tenant.unwrap_or(Uuid::nil());
    // Locked, so that of two transactions which find the key released only one takes it over.
    let key = sqlx::query!(
        r#"SELECT job_id, queue,
                  body_hash = sha256(convert_to($4::jsonb::text, 'UTF8')) AS "same_body!",
                  COALESCE(expires_at <= COALESCE($5, clock_timestamp()), false) AS "expired!"
           FROM queue.unique_keys
           WHERE tenant_id = $1 AND kind = $2 AND key = $3
           FOR UPDATE"#,
        tenant,
        &*job.kind,
        unique.key,
        job.payload,
        clock.simulated(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(key) = key else { return Ok(None) };
    let existing = JobId(key.job_id);
    let held = match unique.scope {
        Scope::Forever if !key.same_body => return Err(Error::Conflict { existing }),
        Scope::Forever => true,
        Scope::PerPeriod(_) => !key.expired,
        Scope::UntilStarted => hold_unstarted(conn, &key.queue, existing).await?,
        Scope::UntilFinished => is_live(conn, &key.queue, existing).await?,
    };
    if !held {
        give_up(conn, tenant, &job.kind, &unique.key).await?;
        return Ok(None);
    }
    if unique.on_duplicate != OnDuplicate::Keep {
        replace(conn, clock, &key.queue, existing, job, unique.on_duplicate).await?;
    }
    Ok(Some(existing))
}

/// Whether the job still waits. The row lock holds its start back until the caller's transaction ends, which is
/// what makes the caller's writes visible to the run.
async fn hold_unstarted(conn: &mut PgConnection, queue: &str, id: JobId) -> Result<bool, Error> {
    let state = sqlx::query_scalar!(
        r#"SELECT state::text AS "state!" FROM queue.jobs WHERE queue = $1 AND id = $2 FOR SHARE"#,
        queue,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(state.is_some_and(|state| state != "running"))
}

async fn is_live(conn: &mut PgConnection, queue: &str, id: JobId) -> Result<bool, Error> {
    let live = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM queue.jobs WHERE queue = $1 AND id = $2) AS "live!""#,
        queue,
        id.0,
    )
    .fetch_one(conn)
    .await?;
    Ok(live)
}

async fn give_up(conn: &mut PgConnection, tenant: Uuid, kind: &str, key: &str) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM queue.unique_keys WHERE tenant_id = $1 AND kind = $2 AND key = $3",
        tenant,
        kind,
        key,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn replace(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    queue: &str,
    id: JobId,
    job: &NewJob,
    mode: OnDuplicate,
) -> Result<(), Error> {
    sqlx::query!(
        r#"WITH moment AS (SELECT COALESCE($5, clock_timestamp()) AS now)
           UPDATE queue.jobs
           SET payload = $3,
               priority = $4,
               run_at = CASE WHEN $6 THEN COALESCE($7, moment.now) ELSE run_at END,
               state = CASE WHEN NOT $6 THEN state
                            WHEN COALESCE($7, moment.now) > moment.now THEN 'scheduled'
                            ELSE 'available' END::queue.job_state
           FROM moment
           WHERE queue = $1 AND id = $2 AND state <> 'running'"#,
        queue,
        id.0,
        job.payload,
        job.priority,
        clock.simulated(),
        mode == OnDuplicate::Debounce,
        job.run_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
