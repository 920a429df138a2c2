//! What the views tell of the periods and of what is open, each with its moment.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};

use super::{Month, OpenItems, Rates, WINDOW, not_yet};
use crate::{
    billing::Cents,
    db::TenantTx,
    error::{Error, Result},
    figures::View,
};

/// What the view tells of some days.
pub(super) struct Period {
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
    pub(super) fn rates(&self) -> Rates {
        Rates {
            appointments: self.appointments,
            no_shows: self.no_shows,
            cancelled: self.cancelled,
            no_show_rate: self.no_show_rate,
            cancellation_rate: self.cancellation_rate,
        }
    }

    pub(super) fn money(&self) -> Month {
        Month { invoiced: self.invoiced, collected: self.collected }
    }
}

impl OpenItems {
    pub(super) fn and(self, other: Self) -> Self {
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
pub(super) async fn periods(tx: &mut TenantTx, today: NaiveDate) -> Result<(DateTime<Utc>, [Period; 5])> {
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
pub(super) async fn open(tx: &mut TenantTx, today: NaiveDate) -> Result<(DateTime<Utc>, [OpenItems; 5])> {
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
