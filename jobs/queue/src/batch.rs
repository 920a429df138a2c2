//! Batches: any number of jobs, and one more that runs when all of them have ended, however they ended.
//! A member that ends touches nothing the others wait for; whoever ends last finds no live member and finishes.

use sqlx::PgConnection;

use crate::{
    Error, JobId, NewJob,
    clock::Clock,
    enqueue::{count_enqueued, enqueue_into},
    trace,
};

/// A batch that was enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The job that runs at the end; it exists once every member has ended.
    pub then: JobId,
    /// The members, in the order of the jobs; a duplicate of an earlier job is not one.
    pub members: Vec<JobId>,
}

/// Enqueues `jobs` and, once all of them have ended, `then`; all in the caller's transaction.
///
/// `then` is due as soon as it is enqueued and takes no unique key: the batch itself runs it once.
pub async fn enqueue_batch(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    jobs: Vec<NewJob>,
    then: NewJob,
) -> Result<Batch, Error> {
    let batch = insert(conn, clock, &then).await?;
    let enqueued = enqueue_into(conn, clock, &jobs, Some(batch)).await?;
    let members: Vec<(JobId, &NewJob)> =
        enqueued.iter().zip(&jobs).filter(|(e, _)| !e.existing).map(|(e, job)| (e.id, job)).collect();
    let ids: Vec<i64> = members.iter().map(|(id, _)| id.0).collect();
    let queues: Vec<&str> = members.iter().map(|(_, job)| job.queue()).collect();
    let tenants: Vec<_> = members.iter().map(|(_, job)| job.tenant).collect();
    sqlx::query!(
        "INSERT INTO queue.batch_members (batch_id, queue, job_id, tenant_id)
         SELECT $1, queue, job_id, tenant_id
         FROM unnest($2::text[], $3::bigint[], $4::uuid[]) AS m (queue, job_id, tenant_id)",
        batch.0,
        &queues as _,
        &ids,
        &tenants as _,
    )
    .execute(&mut *conn)
    .await?;
    if members.is_empty() {
        finish(conn, clock, Some(&[batch])).await?;
    }
    Ok(Batch { then: batch, members: members.into_iter().map(|(id, _)| id).collect() })
}

async fn insert(conn: &mut PgConnection, clock: &dyn Clock, then: &NewJob) -> Result<JobId, Error> {
    let id = sqlx::query_scalar!(
        r#"INSERT INTO queue.batches
               (id, queue, kind, payload, tenant_id, priority, max_attempts, timeout_ms, backoff_base_ms,
                backoff_cap_ms, keep_days, rate_key, traceparent, created_at)
           VALUES (nextval('queue.job_ids'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                   COALESCE($1, clock_timestamp()))
           RETURNING id"#,
        clock.simulated(),
        &then.queue,
        &then.kind,
        then.payload,
        then.tenant,
        then.priority,
        then.max_attempts,
        crate::job::millis(then.timeout),
        crate::job::millis(then.backoff.base),
        crate::job::millis(then.backoff.cap),
        then.retention.days(),
        then.rate_key.as_deref(),
        trace::current().or_else(|| then.traceparent.clone()),
    )
    .fetch_one(conn)
    .await?;
    Ok(JobId(id))
}

/// Enqueues the last jobs of those of `batches` (of all, if none are named) that have no live member; answers the
/// queues that have work now.
///
/// Call it after the members' end is committed: of two that end at once, one at least then sees both ended.
pub(crate) async fn finish(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    batches: Option<&[JobId]>,
) -> Result<Vec<String>, Error> {
    let ids: Option<Vec<i64>> = batches.map(|batches| batches.iter().map(|batch| batch.0).collect());
    // Of two that find the batch over, the DELETE lets one through.
    let begun = sqlx::query!(
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($1, clock_timestamp()) AS now),
           over AS (
               DELETE FROM queue.batches AS b
               WHERE (b.id = ANY ($2) OR $2 IS NULL)
                 AND NOT EXISTS (
                     SELECT FROM queue.batch_members AS m JOIN queue.jobs AS j ON j.queue = m.queue AND j.id = m.job_id
                     WHERE m.batch_id = b.id)
               RETURNING *
           ),
           cleared AS (DELETE FROM queue.batch_members WHERE batch_id IN (SELECT id FROM over))
           INSERT INTO queue.jobs
               (id, queue, kind, payload, tenant_id, state, priority, max_attempts, timeout_ms, backoff_base_ms,
                backoff_cap_ms, keep_days, rate_key, traceparent, enqueued_at, run_at)
           SELECT id, queue, kind, payload, tenant_id, 'available', priority, max_attempts, timeout_ms,
                  backoff_base_ms, backoff_cap_ms, keep_days, rate_key, traceparent, now, now
           FROM over, moment
           RETURNING queue, kind"#,
        clock.simulated(),
        ids.as_deref(),
    )
    .fetch_all(conn)
    .await?;
    count_enqueued(begun.iter().map(|job| (&*job.queue, &*job.kind)));
    Ok(begun.into_iter().map(|job| job.queue).collect())
}

/// Forgets members that have ended, so that the look for a live one stays short.
pub(crate) async fn leave(conn: &mut PgConnection, members: &[(JobId, JobId)]) -> Result<(), Error> {
    let (batches, jobs): (Vec<i64>, Vec<i64>) = members.iter().map(|(batch, job)| (batch.0, job.0)).unzip();
    sqlx::query!(
        r#"DELETE FROM queue.batch_members AS m
           USING unnest($1::bigint[], $2::bigint[]) AS e (batch_id, job_id)
           WHERE m.batch_id = e.batch_id AND m.job_id = e.job_id
             AND NOT EXISTS (SELECT FROM queue.jobs AS j WHERE j.queue = m.queue AND j.id = m.job_id)"#,
        &batches,
        &jobs,
    )
    .execute(conn)
    .await?;
    Ok(())
}
