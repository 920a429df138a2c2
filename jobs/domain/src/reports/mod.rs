//! Reports upon consultations: what a practitioner's come to, and how much a company's employees consult. A practitioner reads no
//! employee's name, reason or notes; a company no practitioner, specialty, day or content.

mod cohort;
mod department;
mod employee;
mod period;
mod practitioner;
mod sheet;

pub use department::{DepartmentUsage, GroupUsage, department_usage, export_department_usage};
pub use employee::{
    EmployeeMonths, EmployeeUsage, MonthUsage, NamedUsage, UsageQuery, employee_months, employee_usage,
    export_employee_usage,
};
pub use period::{Period, PeriodQuery, UsageExport, UsageExportQuery};
pub use practitioner::{
    BilledConsultation, CompanyStats, PractitionerBilling, PractitionerStats, export_practitioner_billing,
    practitioner_billing, practitioner_stats,
};
pub use sheet::Sheet;

use chrono::{DateTime, Months, NaiveDate, Utc};

use crate::{
    db::TenantTx,
    error::{Error, Result},
    figures::View,
    scheduling::practice_zone,
};

/// How far a company's counters reach.
pub(crate) struct Closed {
    /// The moment that they are of.
    pub(crate) as_of: DateTime<Utc>,
    /// The first day of the last month that was over at that moment, by the company's clocks.
    pub(crate) last: NaiveDate,
}

/// How far the caller's company's counters reach; none before they were first reckoned. They end with a month that is over:
/// counters that grew with each refresh would tell an employer the day.
pub(crate) async fn closed(tx: &mut TenantTx) -> Result<Option<Closed>> {
    let zone = practice_zone(tx).await?;
    let as_of =
        sqlx::query_scalar!("SELECT view_as_of($1)", View::EmployeeUsage.name()).fetch_one(tx.conn()).await?;
    Ok(as_of.map(|as_of| {
        let this = Period::of(as_of.with_timezone(&zone).date_naive()).first_day();
        Closed { as_of, last: this.checked_sub_months(Months::new(1)).unwrap_or(this) }
    }))
}

/// A month is told of once it is over and its figures have been reckoned: before, they could only be wrong.
fn not_closed(period: Period) -> Error {
    let detail = format!("{period} is told of once it is over and its figures have been reckoned");
    Error::conflict("period_not_closed", detail)
}

/// Before the first refresh there is nothing to tell, and zero would be a lie.
fn not_yet() -> Error {
    Error::Unavailable { what: "reports", source: "the views were never refreshed".into() }
}

/// The moment that a view's figures are of.
async fn as_of(tx: &mut TenantTx, view: View) -> Result<DateTime<Utc>> {
    sqlx::query_scalar!("SELECT view_as_of($1)", view.name()).fetch_one(tx.conn()).await?.ok_or_else(|| {
        Error::Unavailable { what: "reports", source: "the views were never refreshed".into() }
    })
}
