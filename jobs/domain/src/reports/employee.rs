//! The counters of a company's employees, by name: how often and how long. Never with whom, for what, or on which day.

use chrono::{DateTime, NaiveDate, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Closed, Period, closed, not_closed, not_yet,
    sheet::{Lines, Sheet},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::Label,
    ids::UserId,
    scheduling::{practice_zone, today},
};

/// Whose counters are wanted.
#[derive(Debug, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct UsageQuery {
    /// The month, `YYYY-MM`; all that are over where nothing is said.
    #[deserr(default)]
    #[param(value_type = Option<String>, example = "2027-01")]
    pub period: Option<Period>,
    /// Those of one department.
    #[deserr(default)]
    #[param(value_type = Option<String>)]
    pub department: Option<Label>,
}

/// One employee's counters.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NamedUsage {
    /// The employee.
    pub employee_id: UserId,
    /// Name.
    pub employee_name: String,
    /// Department.
    pub department: Option<String>,
    /// Consultations that took place.
    pub consultations: i64,
    /// Their minutes.
    pub minutes: i64,
}

/// The counters of a company's employees.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmployeeUsage {
    /// The moment that the figures are of.
    pub as_of: DateTime<Utc>,
    /// The month; all that are over where there is none.
    #[schema(value_type = Option<String>, example = "2027-01")]
    pub period: Option<Period>,
    /// The employees, by name.
    pub items: Vec<NamedUsage>,
}

/// What an employee consulted in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct MonthUsage {
    /// The month.
    #[schema(value_type = String, example = "2027-01")]
    pub period: Period,
    /// Consultations that took place.
    pub consultations: i64,
    /// Their minutes.
    pub minutes: i64,
}

/// One employee's counters, month by month.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmployeeMonths {
    /// The moment that the figures are of.
    pub as_of: DateTime<Utc>,
    /// The employee.
    pub employee_id: UserId,
    /// Name.
    pub employee_name: String,
    /// Department.
    pub department: Option<String>,
    /// The months in which there was something, the newest first.
    pub months: Vec<MonthUsage>,
}

/// The counters of the employees, those without a consultation too.
pub async fn employee_usage(tx: &mut TenantTx, query: &UsageQuery) -> Result<EmployeeUsage> {
    let zone = practice_zone(tx).await?;
    let period = query.period.map(|period| period.begun(tx.now(), zone)).transpose()?;
    let Closed { as_of, last } = closed(tx).await?.ok_or_else(not_yet)?;
    if let Some(period) = period.filter(|period| period.first_day() > last) {
        return Err(not_closed(period));
    }
    // All time is all that the view has.
    let first = period.map(Period::first_day);
    let last = first.unwrap_or(last);
    let items = sqlx::query_as!(
        NamedUsage,
        r#"SELECT e.user_id AS "employee_id: UserId", e.first_name || ' ' || e.last_name AS "employee_name!",
                  e.department, COALESCE(u.consultations, 0) AS "consultations!", COALESCE(u.minutes, 0) AS "minutes!"
           FROM employees e
           LEFT JOIN (SELECT user_id, sum(consultations)::bigint AS consultations, sum(minutes)::bigint AS minutes
                      FROM employee_usage_between(COALESCE($2::date, '-infinity'::date), $3) GROUP BY 1) AS u ON u.user_id = e.user_id
           WHERE e.tenant_id = $1 AND ($4::text IS NULL OR e.department = $4)
           ORDER BY fold(e.last_name), fold(e.first_name), e.user_id"#,
        tx.tenant().0,
        first as Option<NaiveDate>,
        last,
        query.department.as_ref().map(Label::as_str),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(EmployeeUsage { as_of, period, items })
}

/// One employee's counters, month by month.
pub async fn employee_months(tx: &mut TenantTx, id: UserId) -> Result<EmployeeMonths> {
    let Closed { as_of, last } = closed(tx).await?.ok_or_else(not_yet)?;
    let employee = sqlx::query!(
        r#"SELECT first_name || ' ' || last_name AS "name!", department
           FROM employees WHERE tenant_id = $1 AND user_id = $2"#,
        tx.tenant().0,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("employee"))?;
    let rows = sqlx::query!(
        r#"SELECT month AS "month!", consultations AS "consultations!", minutes AS "minutes!"
           FROM employee_usage_between('-infinity', $2) WHERE user_id = $1 ORDER BY month DESC"#,
        id.0,
        last,
    )
    .fetch_all(tx.conn())
    .await?;
    let months = rows.into_iter().map(|row| MonthUsage {
        period: Period::of(row.month),
        consultations: row.consultations,
        minutes: row.minutes,
    });
    Ok(EmployeeMonths {
        as_of,
        employee_id: id,
        employee_name: employee.name,
        department: employee.department,
        months: months.collect(),
    })
}

/// The company's name and the present day of its clocks.
pub(super) async fn heading(tx: &mut TenantTx) -> Result<(String, NaiveDate)> {
    let name = sqlx::query_scalar!("SELECT name FROM tenants WHERE id = $1", tx.tenant().0)
        .fetch_one(tx.conn())
        .await?;
    Ok((name, today(tx).await?))
}

/// The columns of both files about employees.
pub(super) const COLUMNS: [&str; 4] = ["Employé", "Département", "Consultations", "Durée (min)"];
/// What stands where no department is written down.
pub(super) const NO_DEPARTMENT: &str = "Sans département";

/// The counters of a month as a file, under a title that says that there are names in it; that it was taken out is noted.
pub async fn export_employee_usage(tx: &mut TenantTx, period: Period) -> Result<Sheet> {
    let query = UsageQuery { period: Some(period), department: None };
    let usage = employee_usage(tx, &query).await?;
    let (company, today) = heading(tx).await?;
    let comments = [
        "RAPPORT UTILISATION EMPLOYÉS - COMPTEURS NOMINATIFS".to_owned(),
        "Conformité RGPD : Compteurs uniquement, sans praticien, spécialité, date ni contenu".to_owned(),
        format!("Période: {period}"),
        format!("Entreprise: {company}"),
        format!("Généré le: {today}"),
    ];
    let mut lines = Lines::begin(&comments, &COLUMNS)?;
    for item in &usage.items {
        let department = item.department.as_deref().unwrap_or(NO_DEPARTMENT);
        let (count, minutes) = (item.consultations.to_string(), item.minutes.to_string());
        lines.row(&[&item.employee_name, department, &count, &minutes])?;
    }
    audit::record(tx, "report.export", "employee_usage_named", period.to_string().as_str()).await?;
    Ok(lines.finish(format!("compteurs-nominatifs-{period}.csv")))
}
