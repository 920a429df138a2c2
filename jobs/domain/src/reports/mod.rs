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

use chrono::{DateTime, Utc};

use crate::{
    db::TenantTx,
    error::{Error, Result},
    figures::View,
};

/// The moment that a view's figures are of. Before the first refresh there is nothing to tell, and zero would be a lie.
async fn as_of(tx: &mut TenantTx, view: View) -> Result<DateTime<Utc>> {
    sqlx::query_scalar!("SELECT view_as_of($1)", view.name()).fetch_one(tx.conn()).await?.ok_or_else(|| {
        Error::Unavailable { what: "reports", source: "the views were never refreshed".into() }
    })
}
