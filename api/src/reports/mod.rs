//! Reports upon consultations, as JSON and as CSV files; each file that is taken out is noted.

use axum::{
    Json,
    http::{HeaderName, header},
};
use permanence_domain::{
    ids::UserId,
    reports::{
        self, DepartmentUsage, EmployeeMonths, EmployeeUsage, PeriodQuery, PractitionerBilling,
        PractitionerStats, Sheet, UsageExport, UsageExportQuery, UsageQuery,
    },
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Path, Query, Read, ReportsBilling, ReportsUsage},
};

/// A file that a browser keeps.
type File = ([(HeaderName, String); 2], String);

fn file(sheet: Sheet) -> File {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", sheet.file_name)),
    ];
    (headers, sheet.text)
}

/// What the caller's consultations of a month come to, by company.
#[utoipa::path(get, path = "/reports/practitioner-stats", tag = "reports", security(("bearer" = [])), params(PeriodQuery),
    responses((status = 200, body = PractitionerStats), CommonErrors))]
pub(crate) async fn get_practitioner_stats(
    mut read: Read<ReportsBilling>,
    Query(query): Query<PeriodQuery>,
) -> Result<Json<PractitionerStats>> {
    let stats = reports::practitioner_stats(&mut read.tx, query.period).await?;
    read.tx.commit().await?;
    Ok(Json(stats))
}

/// The caller's consultations of a month that count: day, company, minutes.
#[utoipa::path(get, path = "/reports/practitioner-billing", tag = "reports", security(("bearer" = [])), params(PeriodQuery),
    responses((status = 200, body = PractitionerBilling), CommonErrors))]
pub(crate) async fn get_practitioner_billing(
    mut read: Read<ReportsBilling>,
    Query(query): Query<PeriodQuery>,
) -> Result<Json<PractitionerBilling>> {
    let billing = reports::practitioner_billing(&mut read.tx, query.period).await?;
    read.tx.commit().await?;
    Ok(Json(billing))
}

/// The same as a CSV file.
#[utoipa::path(get, path = "/reports/practitioner-export-csv", tag = "reports", security(("bearer" = [])),
    params(PeriodQuery), responses((status = 200, body = String, content_type = "text/csv"), CommonErrors))]
pub(crate) async fn export_practitioner_billing(
    mut read: Read<ReportsBilling>,
    Query(query): Query<PeriodQuery>,
) -> Result<File> {
    let sheet = reports::export_practitioner_billing(&mut read.tx, query.period).await?;
    read.tx.commit().await?;
    Ok(file(sheet))
}

/// The counters of the company's employees, by name.
#[utoipa::path(get, path = "/reports/employee-usage", tag = "reports", security(("bearer" = [])), params(UsageQuery),
    responses((status = 200, body = EmployeeUsage), CommonErrors))]
pub(crate) async fn get_employee_usage(
    mut read: Read<ReportsUsage>,
    Query(query): Query<UsageQuery>,
) -> Result<Json<EmployeeUsage>> {
    let usage = reports::employee_usage(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(usage))
}

/// One employee's counters, month by month.
#[utoipa::path(get, path = "/reports/employee-usage/{id}", tag = "reports", security(("bearer" = [])),
    params(("id" = UserId, Path)), responses((status = 200, body = EmployeeMonths), CommonErrors))]
pub(crate) async fn get_employee_months(
    mut read: Read<ReportsUsage>,
    Path(id): Path<UserId>,
) -> Result<Json<EmployeeMonths>> {
    let months = reports::employee_months(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(months))
}

/// What departments consulted in a closed month, without names; published by whoever asks first, and never changed.
#[utoipa::path(get, path = "/reports/department-usage", tag = "reports", security(("bearer" = [])), params(PeriodQuery),
    responses((status = 200, body = DepartmentUsage), CommonErrors))]
pub(crate) async fn get_department_usage(
    mut read: Read<ReportsUsage>,
    Query(query): Query<PeriodQuery>,
) -> Result<Json<DepartmentUsage>> {
    let usage = reports::department_usage(&mut read.tx, query.period).await?;
    read.tx.commit().await?;
    Ok(Json(usage))
}

/// A report on employees as a CSV file: the anonymised one, or the counters by name.
#[utoipa::path(get, path = "/reports/export-employee-usage", tag = "reports", security(("bearer" = [])),
    params(UsageExportQuery), responses((status = 200, body = String, content_type = "text/csv"), CommonErrors))]
pub(crate) async fn export_employee_usage(
    mut read: Read<ReportsUsage>,
    Query(query): Query<UsageExportQuery>,
) -> Result<File> {
    let sheet = match query.report {
        UsageExport::Anonymised => reports::export_department_usage(&mut read.tx, query.period).await?,
        UsageExport::Named => reports::export_employee_usage(&mut read.tx, query.period).await?,
    };
    read.tx.commit().await?;
    Ok(file(sheet))
}
