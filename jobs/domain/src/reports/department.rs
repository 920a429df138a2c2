//! What departments consulted, without names: published once for each closed month, and as it was published ever after.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Closed, Period, closed,
    cohort::{self, Usage},
    employee::{COLUMNS, NO_DEPARTMENT, heading},
    not_closed, not_yet,
    sheet::{Lines, Sheet},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    ids::{UserId, uuid_at},
    scheduling::practice_zone,
};

/// What the people of a department consulted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GroupUsage {
    /// The department in which they were first counted.
    pub department: String,
    /// How many of them consulted: never fewer than ten.
    pub employees: i32,
    /// Their consultations.
    pub consultations: i64,
    /// The minutes of those.
    pub minutes: i64,
}

/// What departments consulted in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct DepartmentUsage {
    /// The moment that the figures are of.
    pub as_of: DateTime<Utc>,
    /// When they were published; they have not changed since.
    pub published_at: DateTime<Utc>,
    /// The month.
    #[schema(value_type = String, example = "2027-01")]
    pub period: Period,
    /// The departments that are large enough, by name. There is no line for the others, nor are they in any sum.
    pub groups: Vec<GroupUsage>,
}

/// What was published of a month; publishes it where nobody has asked for it before.
pub async fn department_usage(tx: &mut TenantTx, period: Period) -> Result<DepartmentUsage> {
    let zone = practice_zone(tx).await?;
    let period = period.begun(tx.now(), zone)?;
    // Publications of a company take turns: two that form cohorts at once would put a person in both.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('reports.department_usage ' || $1, 0))",
        tx.tenant().to_string()
    )
    .fetch_one(tx.conn())
    .await?;
    if let Some(published) = published(tx, period).await? {
        return Ok(published);
    }
    let Closed { as_of, last } = closed(tx).await?.ok_or_else(not_yet)?;
    if period.first_day() > last {
        return Err(not_closed(period));
    }
    form_cohorts(tx).await?;
    publish(tx, period, as_of).await?;
    published(tx, period).await?.ok_or_else(|| Error::internal("a month was published and is not there"))
}

async fn published(tx: &mut TenantTx, period: Period) -> Result<Option<DepartmentUsage>> {
    let Some(publication) = sqlx::query!(
        "SELECT as_of, published_at FROM usage_publications WHERE tenant_id = $1 AND month = $2",
        tx.tenant().0,
        period.first_day(),
    )
    .fetch_optional(tx.conn())
    .await?
    else {
        return Ok(None);
    };
    let groups = sqlx::query_as!(
        GroupUsage,
        "SELECT department, employees, consultations, minutes FROM usage_publication_groups
         WHERE tenant_id = $1 AND month = $2 ORDER BY fold(department), department",
        tx.tenant().0,
        period.first_day(),
    )
    .fetch_all(tx.conn())
    .await?;
    let (as_of, published_at) = (publication.as_of, publication.published_at);
    Ok(Some(DepartmentUsage { as_of, published_at, period, groups }))
}

/// Makes cohorts of those who are in none, where a department has enough of them.
async fn form_cohorts(tx: &mut TenantTx) -> Result<()> {
    let tenant = tx.tenant();
    let rows = sqlx::query!(
        r#"SELECT e.user_id AS "user: UserId", COALESCE(e.department, $2) AS "department!"
           FROM employees e JOIN memberships m ON m.tenant_id = e.tenant_id AND m.user_id = e.user_id
           WHERE e.tenant_id = $1 AND m.accepted_at IS NOT NULL AND m.suspended_at IS NULL
             AND NOT EXISTS (SELECT FROM usage_cohort_members c
                             WHERE c.tenant_id = e.tenant_id AND c.user_id = e.user_id)"#,
        tenant.0,
        NO_DEPARTMENT,
    )
    .fetch_all(tx.conn())
    .await?;
    let now = tx.now();
    for (department, people) in cohort::form(rows.into_iter().map(|row| (row.user, row.department))) {
        let id = uuid_at(now);
        sqlx::query!(
            "INSERT INTO usage_cohorts (tenant_id, id, department, created_at) VALUES ($1, $2, $3, $4)",
            tenant.0,
            id,
            department,
            now,
        )
        .execute(tx.conn())
        .await?;
        let people: Vec<Uuid> = people.into_iter().map(|user| user.0).collect();
        sqlx::query!(
            "INSERT INTO usage_cohort_members (tenant_id, user_id, cohort_id) SELECT $1, user_id, $2 FROM unnest($3::uuid[]) AS user_id",
            tenant.0,
            id,
            &people,
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Freezes what may be told of a month.
async fn publish(tx: &mut TenantTx, period: Period, as_of: DateTime<Utc>) -> Result<()> {
    let (tenant, now, month) = (tx.tenant(), tx.now(), period.first_day());
    sqlx::query!(
        "INSERT INTO usage_publications (tenant_id, month, as_of, published_at) VALUES ($1, $2, $3, $4)",
        tenant.0,
        month,
        as_of,
        now,
    )
    .execute(tx.conn())
    .await?;
    for group in cohort::groups(counted(tx, month).await?) {
        sqlx::query!(
            "INSERT INTO usage_publication_groups (tenant_id, month, department, employees, consultations, minutes)
             VALUES ($1, $2, $3, $4, $5, $6)",
            tenant.0,
            month,
            group.department,
            group.employees,
            group.consultations,
            group.minutes,
        )
        .execute(tx.conn())
        .await?;
    }
    audit::record(tx, "report.publish", "department_usage", period.to_string().as_str()).await
}

/// What those who are in a cohort consulted in a month, whether or not they still work there.
async fn counted(tx: &mut TenantTx, month: NaiveDate) -> Result<Vec<Usage>> {
    Ok(sqlx::query_as!(
        Usage,
        r#"SELECT c.department, u.consultations AS "consultations!", u.minutes AS "minutes!"
           FROM usage_cohort_members m
           JOIN usage_cohorts c ON c.tenant_id = m.tenant_id AND c.id = m.cohort_id
           JOIN employee_usage_between($2, $2) u ON u.user_id = m.user_id
           WHERE m.tenant_id = $1"#,
        tx.tenant().0,
        month,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What was published of a month as a file; that it was taken out is noted.
pub async fn export_department_usage(tx: &mut TenantTx, period: Period) -> Result<Sheet> {
    let usage = department_usage(tx, period).await?;
    let (company, today) = heading(tx).await?;
    let comments = [
        "RAPPORT UTILISATION EMPLOYÉS - ANONYMISÉ".to_owned(),
        "Conformité RGPD : Données agrégées uniquement, seuil min. 10 employés".to_owned(),
        format!("Période: {period}"),
        format!("Entreprise: {company}"),
        format!("Généré le: {today}"),
    ];
    let mut lines = Lines::begin(&comments, &COLUMNS)?;
    for group in &usage.groups {
        let employees = format!("{} employés", group.employees);
        let (count, minutes) = (group.consultations.to_string(), group.minutes.to_string());
        lines.row(&[&employees, &group.department, &count, &minutes])?;
    }
    audit::record(tx, "report.export", "department_usage", period.to_string().as_str()).await?;
    Ok(lines.finish(format!("utilisation-anonymisee-{period}.csv")))
}
