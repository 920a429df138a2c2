//! A practice at a glance. The agenda's counts are read as they are at this moment, by an index; all else comes from the views
//! and is of the moment that they tell. Days are those of the practice's clocks.

mod agenda;
mod read;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use self::{
    agenda::agenda,
    read::{open, periods},
};
use crate::{
    billing::Cents,
    db::TenantTx,
    error::{Error, Result},
    scheduling::practice_zone,
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
pub(in crate::figures) fn not_yet() -> Error {
    Error::Unavailable { what: "dashboard", source: "the views were never refreshed".into() }
}
