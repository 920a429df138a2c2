//! A practice at a glance. The agenda's counts are read as they are at this moment, by an index; all else comes from the views
//! and is of the moment that they tell. Days are those of the practice's clocks.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use utoipa::ToSchema;

use super::View;
use crate::{
    billing::Cents,
    db::TenantTx,
    error::{Error, Result},
    scheduling::{day_bounds, practice_zone},
};

/// How many days the rates look back, and how many the pipeline looks ahead.
const WINDOW: Days = Days::new(30);

/// A practice at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// The moment that the figures of the views are of, the oldest of them: all but `today`, `week` and `coming`.
    pub as_of: DateTime<Utc>,
    /// Today, by the practice's clocks.
    pub date: NaiveDate,
    /// The zone of these clocks.
    pub time_zone: String,
    /// The agenda.
    pub appointments: Appointments,
    /// Money; absent without `billing:read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revenue: Option<Revenue>,
    /// What is to come of it.
    pub pipeline: Pipeline,
}

/// The agenda in numbers.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct Appointments {
    /// Today's, as they stand now.
    pub today: DayCounts,
    /// Those from Monday to Sunday of this week, as they stand now.
    pub week: DayCounts,
    /// The last 30 days, today left out.
    pub last_30_days: Rates,
    /// The 30 days before those.
    pub previous_30_days: Rates,
}

/// How many appointments stand how; each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayCounts {
    /// To come, or under way.
    pub planned: i64,
    /// The same, and confirmed by the patient.
    pub confirmed: i64,
    /// Over.
    pub over: i64,
    /// The patient did not come.
    pub no_show: i64,
    /// Cancelled.
    pub cancelled: i64,
}

/// What became of the appointments of some days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Rates {
    /// How many stood.
    pub appointments: i64,
    /// Of them, those whose patient did not come.
    pub no_shows: i64,
    /// How many were cancelled.
    pub cancelled: i64,
    /// `no_shows` of `appointments`, from 0 to 1; none where there were none.
    pub no_show_rate: Option<f64>,
    /// `cancelled` of all that were booked, from 0 to 1; none where there were none.
    pub cancellation_rate: Option<f64>,
}

/// Money, with VAT.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Revenue {
    /// From the first of this month until today.
    pub this_month: Month,
    /// As many days of the last month.
    pub last_month_to_date: Month,
    /// All of the last month.
    pub last_month: Month,
    /// Issued and not paid, all of it.
    pub outstanding: OpenItems,
    /// Of that, what should have been paid before today.
    pub overdue: OpenItems,
}

/// Money of some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Month {
    /// Invoices less credit notes, by the day of issue.
    pub invoiced: Cents,
    /// Payments less refunds, by the day of payment.
    pub collected: Cents,
}

/// How many there are, and what they come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpenItems {
    /// How many.
    pub count: i64,
    /// What they come to, with VAT.
    pub amount: Cents,
}

/// What is to come of it. What takes `billing:read` is absent without it.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Pipeline {
    /// Appointments that begin between now and the end of the thirtieth day from today.
    pub coming: i64,
    /// Appointments of days before today whose patient came and that are on no invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_invoiced: Option<i64>,
    /// Invoices that are not issued yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drafts: Option<OpenItems>,
    /// Quotes that hold and are not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quotes: Option<OpenItems>,
}

/// The practice at a glance; money for those who may see it.
pub async fn overview(tx: &mut TenantTx, with_money: bool) -> Result<Overview> {
    let zone = practice_zone(tx).await?;
    let date = tx.now().with_timezone(&zone).date_naive();
    let (today, week, coming) = agenda(tx, date, zone).await?;
    let (days_as_of, [this_month, last_to_date, last_month, last_30, previous_30]) =
        periods(tx, date).await?;
    let (open_as_of, [overdue, not_due, quotes, drafts, not_invoiced]) = open(tx, date).await?;
    let revenue = with_money.then(|| Revenue {
        this_month: this_month.money(),
        last_month_to_date: last_to_date.money(),
        last_month: last_month.money(),
        outstanding: overdue.and(not_due),
        overdue,
    });
    Ok(Overview {
        as_of: days_as_of.min(open_as_of),
        date,
        time_zone: zone.name().to_owned(),
        appointments: Appointments {
            today,
            week,
            last_30_days: last_30.rates(),
            previous_30_days: previous_30.rates(),
        },
        revenue,
        pipeline: Pipeline {
            coming,
            not_invoiced: with_money.then_some(not_invoiced.count),
            drafts: with_money.then_some(drafts),
            quotes: with_money.then_some(quotes),
        },
    })
}

/// Before the first refresh there is nothing to tell, and zero would be a lie.
pub(super) fn not_yet() -> Error {
    Error::Unavailable { what: "figures", source: "the views were never refreshed".into() }
}

/// The agenda as it stands now: today's, the week's, and how many are to come.
async fn agenda(tx: &mut TenantTx, date: NaiveDate, zone: Tz) -> Result<(DayCounts, DayCounts, i64)> {
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

/// What the view tells of some days.
struct Period {
    as_of: Option<DateTime<Utc>>,
    appointments: i64,
    no_shows: i64,
    cancelled: i64,
    no_show_rate: Option<f64>,
    cancellation_rate: Option<f64>,
    invoiced: Cents,
    collected: Cents,
}

impl Period {
    fn rates(&self) -> Rates {
        Rates {
            appointments: self.appointments,
            no_shows: self.no_shows,
            cancelled: self.cancelled,
            no_show_rate: self.no_show_rate,
            cancellation_rate: self.cancellation_rate,
        }
    }

    fn money(&self) -> Month {
        Month { invoiced: self.invoiced, collected: self.collected }
    }
}

impl OpenItems {
    fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, amount: self.amount + other.amount }
    }
}

/// First and last day of the periods that are told: this month, as much of the last one, all of it, the last 30 days, and
/// the 30 before.
fn days(today: NaiveDate) -> [(NaiveDate, NaiveDate); 5] {
    let first = today - Days::new(today.day0().into());
    let last_first = first - Months::new(1);
    let yesterday = today - Days::new(1);
    [
        (first, today),
        // A last month that is shorter ends sooner.
        (last_first, today - Months::new(1)),
        (last_first, first - Days::new(1)),
        (today - WINDOW, yesterday),
        (today - WINDOW - WINDOW, yesterday - WINDOW),
    ]
}

/// What happened in each of the periods.
async fn periods(tx: &mut TenantTx, today: NaiveDate) -> Result<(DateTime<Utc>, [Period; 5])> {
    let (first, last): (Vec<_>, Vec<_>) = days(today).into_iter().unzip();
    let earliest = first.iter().copied().min().unwrap_or(today);
    let periods = sqlx::query_as!(
        Period,
        r#"SELECT view_as_of($5) AS as_of, COALESCE(sum(d.appointments), 0)::bigint AS "appointments!",
                  COALESCE(sum(d.no_shows), 0)::bigint AS "no_shows!",
                  COALESCE(sum(d.cancelled), 0)::bigint AS "cancelled!",
                  round(sum(d.no_shows) / NULLIF(sum(d.appointments), 0), 4)::float8 AS no_show_rate,
                  round(sum(d.cancelled) / NULLIF(sum(d.appointments + d.cancelled), 0), 4)::float8 AS cancellation_rate,
                  COALESCE(sum(d.invoiced), 0)::bigint AS "invoiced!: Cents",
                  COALESCE(sum(d.collected), 0)::bigint AS "collected!: Cents"
           FROM unnest($1::date[], $2::date[]) WITH ORDINALITY AS p (first, last, place)
           LEFT JOIN practice_days_between($3, $4) d ON d.day BETWEEN p.first AND p.last
           GROUP BY p.place ORDER BY p.place"#,
        &first,
        &last,
        earliest,
        today,
        View::PracticeDays.name(),
    )
    .fetch_all(tx.conn())
    .await?;
    all(periods, |period| period.as_of)
}

/// What the view tells of one kind of what is open.
struct OpenRow {
    as_of: Option<DateTime<Utc>>,
    items: OpenItems,
}

/// What is open today: overdue, not due, quotes that hold, drafts, appointments that should have been invoiced.
async fn open(tx: &mut TenantTx, today: NaiveDate) -> Result<(DateTime<Utc>, [OpenItems; 5])> {
    let rows = sqlx::query!(
        r#"SELECT view_as_of($2) AS as_of, COALESCE(sum(o.items), 0)::bigint AS "count!",
                  COALESCE(sum(o.amount), 0)::bigint AS "amount!: Cents"
           FROM unnest(ARRAY['overdue', 'not_due', 'quote', 'draft', 'not_invoiced']) WITH ORDINALITY AS w (what, place)
           LEFT JOIN practice_open_items() o ON w.what = CASE
               WHEN o.kind = 'unpaid' AND o.day < $1 THEN 'overdue' WHEN o.kind = 'unpaid' THEN 'not_due'
               WHEN o.kind = 'quote' AND o.day >= $1 THEN 'quote' WHEN o.kind = 'draft' THEN 'draft'
               WHEN o.kind = 'not_invoiced' AND o.day < $1 THEN 'not_invoiced' END
           GROUP BY w.place ORDER BY w.place"#,
        today,
        View::PracticeOpen.name(),
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| OpenRow { as_of: row.as_of, items: OpenItems { count: row.count, amount: row.amount } })
        .collect();
    let (as_of, rows): (_, [OpenRow; 5]) = all(rows, |row| row.as_of)?;
    Ok((as_of, rows.map(|row| row.items)))
}

/// All the rows that were asked for, and the one moment that they are of.
fn all<T, const N: usize>(
    rows: Vec<T>,
    as_of: impl Fn(&T) -> Option<DateTime<Utc>>,
) -> Result<(DateTime<Utc>, [T; N])> {
    let moment = rows.first().and_then(as_of).ok_or_else(not_yet)?;
    let rows =
        rows.try_into().map_err(|_| Error::internal("a view's statement gave another number of rows"))?;
    Ok((moment, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_compared_with_as_much_of_the_last() {
        let of = |today: &str| days(today.parse().unwrap()).map(|(first, last)| format!("{first} {last}"));
        assert_eq!(
            of("2027-03-31"),
            [
                "2027-03-01 2027-03-31",
                "2027-02-01 2027-02-28",
                "2027-02-01 2027-02-28",
                "2027-03-01 2027-03-30",
                "2027-01-30 2027-02-28",
            ]
        );
        assert_eq!(
            of("2027-01-01")[..3],
            ["2027-01-01 2027-01-01", "2026-12-01 2026-12-01", "2026-12-01 2026-12-31"]
        );
    }
}
