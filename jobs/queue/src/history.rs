//! Keeps history in day partitions: makes the coming days', drops the old ones.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Error, clock::Clock};

/// How much history there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPolicy {
    /// How many coming days have their partition ready.
    pub days_ahead: i32,
    /// How many past days are kept.
    pub days_kept: i32,
}

impl Default for HistoryPolicy {
    fn default() -> Self {
        Self { days_ahead: 7, days_kept: 90 }
    }
}

/// Makes the coming days' partitions and drops the old ones; answers how many were dropped.
pub async fn maintain_history(
    conn: &mut PgConnection,
    clock: &dyn Clock,
    policy: HistoryPolicy,
) -> Result<i32, Error> {
    let now: Option<DateTime<Utc>> = clock.simulated();
    let dropped = sqlx::query_scalar!(
        r#"SELECT queue.maintain_history(
               (COALESCE($1, clock_timestamp()) AT TIME ZONE 'UTC')::date, $2, $3) AS "dropped!""#,
        now,
        policy.days_ahead,
        policy.days_kept,
    )
    .fetch_one(conn)
    .await?;
    Ok(dropped)
}
