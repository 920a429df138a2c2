//! The agenda as it stands at this moment, in numbers.

use chrono::{Datelike, Days, NaiveDate};
use chrono_tz::Tz;

use super::{DayCounts, WINDOW};
use crate::{db::TenantTx, error::Result, scheduling::day_bounds};

/// The agenda as it stands now: today's, the week's, and how many are to come.
pub(super) async fn agenda(
    tx: &mut TenantTx,
    date: NaiveDate,
    zone: Tz,
) -> Result<(DayCounts, DayCounts, i64)> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let monday = date - Days::new(date.weekday().num_days_from_monday().into());
    let (today_from, today_until) = day_bounds(date, zone);
    let (week_from, week_until) = (day_bounds(monday, zone).0, day_bounds(monday + Days::new(7), zone).0);
    let horizon = day_bounds(date + WINDOW, zone).1;
    // By appointments_by_start: what lies between Monday and the horizon, and nothing else.
    let rows = sqlx::query!(
        r#"SELECT stands AS "stands!", count(*) FILTER (WHERE starts_at >= $3 AND starts_at < $4) AS "today!",
                  count(*) FILTER (WHERE starts_at < $5) AS "week!", count(*) FILTER (WHERE starts_at > $7) AS "coming!"
           FROM (SELECT starts_at,
                        CASE WHEN status = 'cancelled' THEN 'cancelled' WHEN no_show_at IS NOT NULL THEN 'no_show'
                             WHEN ends_at <= $7 THEN 'over' WHEN confirmed_at IS NOT NULL THEN 'confirmed'
                             ELSE 'planned' END AS stands
                 FROM appointments
                 WHERE tenant_id = $1 AND starts_at >= $2 AND starts_at < $6) AS agenda
           GROUP BY stands"#,
        tenant.0,
        week_from,
        today_from,
        today_until,
        week_until,
        horizon,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    let (mut today, mut week, mut coming) = (DayCounts::default(), DayCounts::default(), 0);
    for row in rows {
        for (counts, count) in [(&mut today, row.today), (&mut week, row.week)] {
            match row.stands.as_str() {
                "planned" => counts.planned += count,
                "confirmed" => counts.confirmed += count,
                "over" => counts.over += count,
                "no_show" => counts.no_show += count,
                _ => counts.cancelled += count,
            }
        }
        if row.stands != "cancelled" {
            coming += row.coming;
        }
    }
    Ok((today, week, coming))
}
