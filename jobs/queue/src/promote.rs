//! Makes due jobs available, so that a claim never looks at the millions that are scheduled.

use std::time::Duration;

use sqlx::PgExecutor;

use crate::{Error, clock::Clock};

/// How many due jobs one statement makes available.
pub(crate) const BATCH: i64 = 1000;

/// What a look at a queue found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Jobs that became available just now.
    pub(crate) promoted: i64,
    /// Whether there is anything to claim.
    pub(crate) available: bool,
    /// Whether the queue is claimed from by lanes.
    pub(crate) lanes: bool,
    /// How long until the next job is due.
    pub(crate) next_due: Option<Duration>,
}

/// Makes due jobs of a queue available, and says when to look again; and, if it is to `probe`, whether there is
/// anything to claim.
pub(crate) async fn promote(
    executor: impl PgExecutor<'_>,
    clock: &dyn Clock,
    queue: &str,
    probe: bool,
) -> Result<Look, Error> {
    // Three things keep each part on its index, however many jobs are scheduled: `moment` is asked for as a scalar,
    // which an index condition can use and a volatile call cannot; ORDER BY names the index's first column too, for
    // the planner does not see that an enum column is constant; and "any" is "the first in the claim's order".
    let row = sqlx::query!(
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($2, clock_timestamp()) AS now),
           scheduled AS MATERIALIZED (
               SELECT id FROM queue.jobs
               WHERE queue = $1 AND state = 'scheduled' AND state <> 'available'
                 AND run_at <= (SELECT now FROM moment)
               ORDER BY state, run_at LIMIT $3 FOR UPDATE SKIP LOCKED
           ),
           retryable AS MATERIALIZED (
               SELECT id FROM queue.jobs
               WHERE queue = $1 AND state = 'retryable' AND state <> 'available'
                 AND run_at <= (SELECT now FROM moment)
               ORDER BY state, run_at LIMIT $3 FOR UPDATE SKIP LOCKED
           ),
           promoted AS (
               UPDATE queue.jobs AS j SET state = 'available'
               WHERE j.queue = $1 AND j.id = ANY (ARRAY(SELECT id FROM scheduled UNION ALL SELECT id FROM retryable))
               RETURNING 1
           ),
           next AS (
               SELECT least(
                   (SELECT run_at FROM queue.jobs
                    WHERE queue = $1 AND state = 'scheduled' AND state <> 'available'
                      AND run_at > (SELECT now FROM moment) ORDER BY state, run_at LIMIT 1),
                   (SELECT run_at FROM queue.jobs
                    WHERE queue = $1 AND state = 'retryable' AND state <> 'available'
                      AND run_at > (SELECT now FROM moment) ORDER BY state, run_at LIMIT 1)) AS run_at
           )
           SELECT (SELECT count(*) FROM promoted) AS "promoted!",
                  (SELECT paused_at IS NULL FROM queue.queues WHERE name = $1)
                  AND COALESCE((SELECT true FROM promoted LIMIT 1),
                               CASE WHEN NOT $4 THEN
                                   NULL
                               WHEN (SELECT lanes FROM queue.queues WHERE name = $1) THEN
                                   (SELECT true FROM queue.jobs WHERE queue = $1 AND state = 'available'
                                    ORDER BY COALESCE(rate_key, ''),
                                             COALESCE(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) LIMIT 1)
                               ELSE
                                   (SELECT true FROM queue.jobs WHERE queue = $1 AND state = 'available'
                                    ORDER BY priority, id LIMIT 1)
                               END, false) AS "available!",
                  (SELECT lanes FROM queue.queues WHERE name = $1) AS "lanes!",
                  (SELECT ceil(extract(epoch FROM next.run_at - moment.now) * 1000)::bigint
                   FROM next, moment) AS next_due_ms"#,
        queue,
        clock.simulated(),
        BATCH,
        probe,
    )
    .fetch_one(executor)
    .await?;
    Ok(Look {
        promoted: row.promoted,
        available: row.available,
        lanes: row.lanes,
        next_due: row.next_due_ms.map(|ms| Duration::from_millis(ms.unsigned_abs())),
    })
}
