//! Operating queues: pausing, resuming, limiting and counting them. It reads no job's payload.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Error, clock::Clock};

/// How many jobs of a queue may run at a time, over all its workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of the whole queue.
    pub running: Option<i32>,
    /// Of each tenant; jobs of no tenant count as one tenant's.
    pub running_per_tenant: Option<i32>,
}

/// What a queue looks like at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueStats {
    /// Its name.
    pub queue: String,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Whether its claims go by lanes.
    pub lanes: bool,
    /// Its limits.
    pub limits: Limits,
    /// Jobs that are due later.
    pub scheduled: i64,
    /// Jobs that wait for a worker.
    pub available: i64,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that wait after a failed attempt.
    pub retryable: i64,
    /// How long the oldest job that is due has waited, in seconds, also where no worker has made it available.
    pub oldest_seconds: Option<f64>,
    /// Workers whose heart has beaten within the last minute.
    pub workers: i64,
    /// Runs that began, per second, over the last minute.
    pub started_per_second: f64,
    /// Jobs that workers ended for good, per second, over the last minute.
    pub finished_per_second: f64,
    /// Jobs that died within the last 24 hours.
    pub dead: i64,
    /// Row versions in the queue's table that wait for vacuum, as Postgres estimates them.
    pub dead_tuples: i64,
}

/// Pauses a queue: from now on no worker claims from it, until it is resumed. Jobs that run go on.
pub async fn pause(conn: &mut PgConnection, clock: &dyn Clock, queue: &str) -> Result<(), Error> {
    let paused = sqlx::query!(
        "UPDATE queue.queues SET paused_at = COALESCE(paused_at, $2, clock_timestamp()) WHERE name = $1",
        queue,
        clock.simulated(),
    )
    .execute(conn)
    .await?;
    found(paused.rows_affected(), queue)
}

/// Resumes a paused queue; wake its workers after the commit.
pub async fn resume(conn: &mut PgConnection, queue: &str) -> Result<(), Error> {
    let resumed =
        sqlx::query!("UPDATE queue.queues SET paused_at = NULL WHERE name = $1", queue).execute(conn).await?;
    found(resumed.rows_affected(), queue)
}

/// Gives a queue lanes, for good: its tenants take turns, and it can be limited. Its writers wait meanwhile.
pub async fn use_lanes(conn: &mut PgConnection, queue: &str) -> Result<(), Error> {
    let lanes = sqlx::query_scalar!("SELECT queue.use_lanes($1)", queue).fetch_one(conn).await?;
    lanes.map(|_| ()).ok_or_else(|| Error::NoSuchQueue(queue.to_owned()))
}

/// Limits how many jobs of a queue run at a time; a queue without lanes gets them.
pub async fn set_limits(conn: &mut PgConnection, queue: &str, limits: Limits) -> Result<(), Error> {
    if limits != Limits::default() {
        use_lanes(conn, queue).await?;
    }
    let limited = sqlx::query!(
        "UPDATE queue.queues SET max_running = $2, max_running_per_tenant = $3 WHERE name = $1",
        queue,
        limits.running,
        limits.running_per_tenant,
    )
    .execute(conn)
    .await?;
    found(limited.rows_affected(), queue)
}

/// Lets jobs of a rate key start `per_second` times a second on average, and at most `burst` at once.
/// A key without a rate is unlimited.
pub async fn set_rate(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    key: &str,
    per_second: f64,
    burst: i32,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO queue.rates (key, per_second, burst, tokens, refilled_at)
         VALUES ($2, $3, $4::integer, $4::integer, COALESCE($1, clock_timestamp()))
         ON CONFLICT (key) DO UPDATE
         SET per_second = excluded.per_second, burst = excluded.burst,
             tokens = least(rates.tokens, excluded.burst)",
        clock.simulated(),
        key,
        per_second,
        burst,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lifts the rate of a key.
pub async fn lift_rate(conn: &mut PgConnection, key: &str) -> Result<(), Error> {
    sqlx::query!("DELETE FROM queue.rates WHERE key = $1", key).execute(conn).await?;
    Ok(())
}

/// Counts every queue's jobs and workers: reads each live job once, and of history the day's dead alone.
#[expect(clippy::too_many_lines, reason = "one statement, told whole")]
pub async fn stats(conn: &mut PgConnection, clock: &dyn Clock) -> Result<Vec<QueueStats>, Error> {
    let rows = sqlx::query!(
        r#"WITH moment AS MATERIALIZED (SELECT COALESCE($1, clock_timestamp()) AS now),
           depth AS (
               SELECT queue,
                      count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
                      count(*) FILTER (WHERE state = 'available') AS available,
                      count(*) FILTER (WHERE state = 'running') AS running,
                      count(*) FILTER (WHERE state = 'retryable') AS retryable,
                      -- Where nobody works, nothing that is due becomes available.
                      min(run_at) FILTER (WHERE state <> 'running') AS oldest
               FROM queue.jobs GROUP BY queue
           ),
           work AS (
               -- Heartbeats go by the database's clock. Who died with nobody to rescue its jobs has no end.
               SELECT queue, count(*) AS workers, sum(started_per_second) AS started,
                      sum(finished_per_second) AS finished
               FROM queue.processes
               WHERE ended_at IS NULL AND seen_at > clock_timestamp() - interval '1 minute' GROUP BY queue
           ),
           dead AS (
               -- A stable time, so that the days before are left out before any is opened.
               SELECT queue, count(*) AS dead FROM queue.job_history
               WHERE state = 'discarded' AND finished_at > COALESCE($1, statement_timestamp()) - interval '1 day'
               GROUP BY queue
           )
           SELECT q.name, q.paused_at, q.lanes, q.max_running, q.max_running_per_tenant,
                  COALESCE(d.scheduled, 0) AS "scheduled!", COALESCE(d.available, 0) AS "available!",
                  COALESCE(d.running, 0) AS "running!", COALESCE(d.retryable, 0) AS "retryable!",
                  CASE WHEN d.oldest <= moment.now THEN extract(epoch FROM moment.now - d.oldest)::float8 END AS oldest,
                  COALESCE(w.workers, 0) AS "workers!", COALESCE(w.started, 0) AS "started!",
                  COALESCE(w.finished, 0) AS "finished!", COALESCE(dead.dead, 0) AS "dead!",
                  COALESCE(pg_stat_get_dead_tuples(to_regclass(format('queue.%I', 'jobs_' || q.name))), 0)
                      AS "dead_tuples!"
           FROM moment, queue.queues AS q
                LEFT JOIN depth AS d ON d.queue = q.name
                LEFT JOIN work AS w ON w.queue = q.name
                LEFT JOIN dead ON dead.queue = q.name
           ORDER BY q.name"#,
        clock.simulated(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| QueueStats {
            queue: row.name,
            paused_at: row.paused_at,
            lanes: row.lanes,
            limits: Limits { running: row.max_running, running_per_tenant: row.max_running_per_tenant },
            scheduled: row.scheduled,
            available: row.available,
            running: row.running,
            retryable: row.retryable,
            oldest_seconds: row.oldest,
            workers: row.workers,
            started_per_second: row.started,
            finished_per_second: row.finished,
            dead: row.dead,
            dead_tuples: row.dead_tuples,
        })
        .collect())
}

fn found(rows: u64, queue: &str) -> Result<(), Error> {
    if rows == 0 { Err(Error::NoSuchQueue(queue.to_owned())) } else { Ok(()) }
}
