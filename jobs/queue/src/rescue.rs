//! Takes the jobs of dead processes back. It acts through the dead's own leases, so any number of rescuers may
//! try and one succeeds; it never touches a job of a process whose heart beats.

use std::time::Duration;

use sqlx::PgConnection;

use crate::{
    Error, JobId, Lease,
    clock::Clock,
    job::millis,
    settle::{Fate, Settled, settle},
    trace,
};

/// How many jobs one round takes back.
const BATCH: i64 = 500;

/// Declares silent processes of a queue dead, and lets their jobs run elsewhere; answers how many.
pub(crate) async fn rescue(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    queue: &'static str,
    dead_after: Duration,
) -> Result<usize, Error> {
    let mut rescued = 0;
    loop {
        let orphans = orphans(conn, queue, dead_after).await?;
        if orphans.is_empty() {
            return Ok(rescued);
        }
        rescued += settle(conn, clock, queue, &orphans).await?;
        for (id, code) in orphans.iter().filter_map(|o| Some((o.lease.job.0, o.fate.dead_of()?))) {
            tracing::error!(target: trace::FAULTS, fault = "dead_job", queue, id, code);
        }
    }
}

/// Jobs that run under a process which has ended or fallen silent: nothing will settle them.
async fn orphans(
    conn: &mut PgConnection,
    queue: &'static str,
    dead_after: Duration,
) -> Result<Vec<Settled>, Error> {
    // Not only of processes that fell silent just now: a claim may have been on its way when its process ended.
    let rows = sqlx::query!(
        r#"WITH dead AS (
               UPDATE queue.processes SET ended_at = clock_timestamp()
               WHERE queue = $1 AND ended_at IS NULL
                 AND seen_at < clock_timestamp() - $2::integer * interval '1 millisecond'
               RETURNING id
           )
           SELECT j.id, j.process_id AS "process_id!", j.lease AS "lease!", j.attempt >= j.max_attempts AS "last!"
           FROM queue.jobs AS j JOIN queue.processes AS p ON p.id = j.process_id
           WHERE j.queue = $1 AND j.state = 'running'
             AND (p.ended_at IS NOT NULL OR p.id IN (SELECT id FROM dead))
           LIMIT $3"#,
        queue,
        millis(dead_after),
        BATCH,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Settled {
            lease: Lease { queue, job: JobId(row.id), process: row.process_id, number: row.lease },
            fate: Fate::lost(row.last),
        })
        .collect())
}
