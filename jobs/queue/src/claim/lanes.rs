//! Claims from a queue with lanes: tenants take turns, within the limits of the queue and the rates of its keys.
//! One claim at a time per queue, so that counts are exact; only queues that use lanes pay for that.

use sqlx::{PgConnection, PgPool};

use super::{Claimant, Claimed, Row};
use crate::{Error, clock::Clock};

/// How many jobs one claim takes at most: a claim looks at that many of each tenant.
const MOST: i64 = 100;

/// Claims up to `limit` jobs: of each tenant its most urgent ones, and of the tenants whoever runs fewest.
pub(crate) async fn claim_in_lanes(
    pool: &PgPool,
    clock: &dyn Clock,
    by: Claimant,
    limit: i64,
) -> Result<Vec<Claimed>, Error> {
    let mut tx = pool.begin().await?;
    // Taken in statements of their own: only a snapshot that is younger than the locks shows what the last claimant
    // did.
    let open = sqlx::query_scalar!(
        r#"SELECT paused_at IS NULL AND lanes AS "open!" FROM queue.queues WHERE name = $1 FOR NO KEY UPDATE"#,
        by.queue,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if open != Some(true) {
        return Ok(Vec::new());
    }
    sqlx::query!("SELECT FROM queue.rates ORDER BY key FOR NO KEY UPDATE").execute(&mut *tx).await?;
    let rows = take_turns(&mut tx, clock, by, limit.min(MOST)).await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(|row| row.claimed(by)).collect())
}

#[expect(clippy::too_many_lines, reason = "one statement, told whole")]
async fn take_turns(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    by: Claimant,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    // `lane` steps through the distinct pairs of rate key and tenant along the claim's index, so a million jobs of
    // one tenant cost no more than ten. `turn` is how many jobs the tenant would run then; `rate_turn` how many
    // tokens its key would have spent. A tenant's own order is by
    // priority, then by due time.
    let rows = sqlx::query_as!(
        Row,
        r#"WITH RECURSIVE moment AS MATERIALIZED (SELECT COALESCE($2, clock_timestamp()) AS now),
           lane (rate_key, tenant) AS (
               (SELECT COALESCE(rate_key, ''), COALESCE(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)
                FROM queue.jobs WHERE queue = $1 AND state = 'available' ORDER BY 1, 2 LIMIT 1)
               UNION ALL
               SELECT next.* FROM lane CROSS JOIN LATERAL (
                   SELECT COALESCE(j.rate_key, ''), COALESCE(j.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)
                   FROM queue.jobs AS j
                   WHERE j.queue = $1 AND j.state = 'available'
                     AND (COALESCE(j.rate_key, ''), COALESCE(j.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid))
                         > (lane.rate_key, lane.tenant)
                   ORDER BY 1, 2 LIMIT 1) AS next
           ),
           rate AS MATERIALIZED (
               SELECT key, least(burst, tokens + per_second * greatest(0, extract(epoch FROM now - refilled_at)))
                           AS tokens
               FROM queue.rates, moment
           ),
           running AS MATERIALIZED (
               SELECT COALESCE(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) AS tenant, count(*) AS jobs
               FROM queue.jobs WHERE queue = $1 AND state = 'running' AND state <> 'available' GROUP BY 1
           ),
           candidate AS (
               SELECT job.id, job.priority, job.run_at, lane.rate_key, rate.tokens, COALESCE(running.jobs, 0)
                      + row_number() OVER (PARTITION BY lane.tenant
                                             ORDER BY job.priority, job.run_at, job.id) AS turn
               FROM lane
               LEFT JOIN rate ON rate.key = lane.rate_key
               LEFT JOIN running ON running.tenant = lane.tenant
               CROSS JOIN LATERAL (
                   SELECT j.id, j.priority, j.run_at FROM queue.jobs AS j
                   WHERE j.queue = $1 AND j.state = 'available' AND COALESCE(j.rate_key, '') = lane.rate_key
                     AND COALESCE(j.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) = lane.tenant
                   ORDER BY COALESCE(j.rate_key, ''),
                            COALESCE(j.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid),
                            j.priority, j.run_at, j.id
                   LIMIT least($5::bigint, floor(COALESCE(rate.tokens, $5))::bigint)) AS job
           ),
           allowed AS (
               SELECT c.*, row_number() OVER (PARTITION BY rate_key ORDER BY turn, priority, run_at, id) AS rate_turn
               FROM candidate AS c, queue.queues AS q
               WHERE q.name = $1 AND c.turn <= COALESCE(q.max_running_per_tenant, c.turn)
           ),
           chosen AS MATERIALIZED (
               SELECT id, row_number() OVER (ORDER BY turn, priority, run_at, id) AS place
               FROM allowed
               WHERE rate_turn <= COALESCE(tokens, rate_turn)
               ORDER BY turn, priority, run_at, id
               LIMIT (SELECT greatest(0, least($5, max_running - (SELECT COALESCE(sum(jobs), 0) FROM running)))::bigint
                      FROM queue.queues WHERE name = $1)
           ),
           next AS MATERIALIZED (
               SELECT id, rate_key FROM queue.jobs
               WHERE queue = $1 AND state = 'available' AND id = ANY (ARRAY(SELECT id FROM chosen))
                 AND (SELECT ended_at IS NULL FROM queue.processes WHERE id = $3)
               FOR UPDATE SKIP LOCKED
           ),
           spent AS (
               UPDATE queue.rates AS r SET tokens = rate.tokens - taken.jobs, refilled_at = now
               FROM (SELECT rate_key, count(*) AS jobs FROM next WHERE rate_key IS NOT NULL GROUP BY 1) AS taken,
                    rate, moment
               WHERE r.key = taken.rate_key AND rate.key = taken.rate_key
           ),
           claimed AS (
               UPDATE queue.jobs AS j
               SET state = 'running', attempt = j.attempt + 1, process_id = $3, lease = $4, started_at = moment.now
               FROM moment
               WHERE j.queue = $1 AND j.id = ANY (ARRAY(SELECT id FROM next))
               RETURNING j.*
           )
           SELECT j.id AS "id!", j.kind AS "kind!", j.payload AS "payload!", j.attempt AS "attempt!",
                  j.max_attempts AS "max_attempts!", j.tenant_id, j.priority AS "priority!",
                  j.enqueued_at AS "enqueued_at!", j.run_at AS "run_at!", j.started_at AS "started_at!",
                  j.timeout_ms AS "timeout_ms!", j.batch_id, j.traceparent, j.cancel_requested_at IS NOT NULL AS "cancel_requested!"
           FROM claimed AS j JOIN chosen USING (id) ORDER BY chosen.place"#,
        by.queue,
        clock.simulated(),
        by.process,
        by.number,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
