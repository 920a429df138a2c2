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
    /// How long until the next job is due.
    pub(crate) next_due: Option<Duration>,
}

/// Makes due jobs of a queue available, and says what there is to do and when to look again.
pub(crate) async fn promote(
    executor: impl PgExecutor<'_>,
    clock: &dyn Clock,
    queue: &str,
) -> Result<Look, Error> {
    // `moment` is asked for as a scalar, which an index condition can use; a volatile call it could not.
    let row = sqlx::query!(
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($2, clock_timestamp()) AS now),
           due AS MATERIALIZED (
               SELECT id FROM queue.jobs
               WHERE queue = $1 AND state IN ('scheduled', 'retryable') AND state <> 'available'
                 AND run_at <= (SELECT now FROM moment)
               LIMIT $3
               FOR UPDATE SKIP LOCKED
           ),
           promoted AS (
               UPDATE queue.jobs AS j SET state = 'available'
               FROM due WHERE j.queue = $1 AND j.id = due.id
               RETURNING 1
           ),
           next AS (
               SELECT least(
                   (SELECT run_at FROM queue.jobs WHERE queue = $1 AND state = 'scheduled' AND state <> 'available'
                    AND run_at > (SELECT now FROM moment) ORDER BY run_at LIMIT 1),
                   (SELECT run_at FROM queue.jobs WHERE queue = $1 AND state = 'retryable' AND state <> 'available'
                    AND run_at > (SELECT now FROM moment) ORDER BY run_at LIMIT 1)) AS run_at
           )
           SELECT (SELECT count(*) FROM promoted) AS "promoted!",
                  (SELECT paused_at IS NULL FROM queue.queues WHERE name = $1)
                  AND (EXISTS (SELECT FROM promoted)
                       OR EXISTS (SELECT FROM queue.jobs WHERE queue = $1 AND state = 'available')) AS "available!",
                  (SELECT ceil(extract(epoch FROM next.run_at - moment.now) * 1000)::bigint
                   FROM next, moment) AS next_due_ms"#,
        queue,
        clock.simulated(),
        BATCH,
    )
    .fetch_one(executor)
    .await?;
    Ok(Look {
        promoted: row.promoted,
        available: row.available,
        next_due: row.next_due_ms.map(|ms| Duration::from_millis(ms.unsigned_abs())),
    })
}
