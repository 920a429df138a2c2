//! The employees of a company, each with how often they consulted: counts, and never for what or with whom.

use chrono::{DateTime, NaiveDate, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    db::TenantTx,
    error::{Invalid, Result},
    field::{Flag, Label, SearchText},
    ids::UserId,
    page::{Count, PageQuery},
    reports,
};

/// Which employees are wanted.
#[derive(Debug, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct EmployeeQuery {
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
    /// Part of a name, accents or not.
    #[deserr(default)]
    #[param(value_type = Option<String>)]
    pub search: Option<SearchText>,
    /// Those of one department.
    #[deserr(default)]
    #[param(value_type = Option<String>)]
    pub department: Option<Label>,
    /// Only those who are active, or only those who are not.
    #[deserr(default)]
    #[param(value_type = Option<bool>)]
    pub active: Option<Flag>,
}

/// An employee in the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedEmployee {
    /// The user.
    pub id: UserId,
    /// Address they sign in with.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Department.
    pub department: Option<String>,
    /// What the employee does there.
    pub position: Option<String>,
    /// Whether they may sign in, once they have accepted.
    pub is_active: bool,
    /// When they accepted the invitation; `null` while it is open.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Consultations that took place, in all months that are over.
    pub consultations: i64,
    /// Their minutes.
    pub minutes: i64,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
}

/// One page of employees.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmployeeList {
    /// The moment that the counters are of; none before they were first reckoned.
    pub as_of: Option<DateTime<Utc>>,
    /// The rows of this page, by name.
    pub items: Vec<ListedEmployee>,
    /// Its number, from 1.
    pub page: i64,
    /// Rows on a full page.
    pub limit: i64,
    /// Rows in all.
    pub total: i64,
}

/// The employees, by name.
pub async fn list_employees(tx: &mut TenantTx, query: &EmployeeQuery) -> Result<EmployeeList> {
    let page = PageQuery { page: query.page, limit: query.limit };
    let (search, department) =
        (query.search.as_ref().map(SearchText::as_str), query.department.as_ref().map(Label::as_str));
    let active = query.active.map(Flag::get);
    let closed = reports::closed(tx).await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!"
           FROM employees e JOIN memberships m ON m.tenant_id = e.tenant_id AND m.user_id = e.user_id
           WHERE e.tenant_id = $1 AND ($2::text IS NULL OR e.department = $2)
             AND ($3::boolean IS NULL OR (m.suspended_at IS NULL) = $3)
             AND ($4::text IS NULL OR position(fold($4) IN fold(e.last_name || ' ' || e.first_name || ' ' || e.last_name)) > 0)"#,
        tx.tenant().0,
        department,
        active,
        search,
    )
    .fetch_one(tx.conn())
    .await?;
    let items = sqlx::query_as!(
        ListedEmployee,
        r#"SELECT e.user_id AS "id: UserId", u.email, e.first_name, e.last_name, e.department, e.position,
                  m.suspended_at IS NULL AS "is_active!", m.accepted_at,
                  COALESCE(c.consultations, 0) AS "consultations!", COALESCE(c.minutes, 0) AS "minutes!", e.version
           FROM employees e
           JOIN memberships m ON m.tenant_id = e.tenant_id AND m.user_id = e.user_id
           JOIN users u ON u.id = e.user_id
           LEFT JOIN (SELECT user_id, sum(consultations)::bigint AS consultations, sum(minutes)::bigint AS minutes
                      FROM employee_usage_between('-infinity', COALESCE($7::date, '-infinity'::date)) GROUP BY 1) AS c ON c.user_id = e.user_id
           WHERE e.tenant_id = $1 AND ($2::text IS NULL OR e.department = $2)
             AND ($3::boolean IS NULL OR (m.suspended_at IS NULL) = $3)
             AND ($4::text IS NULL OR position(fold($4) IN fold(e.last_name || ' ' || e.first_name || ' ' || e.last_name)) > 0)
           ORDER BY fold(e.last_name), fold(e.first_name), e.user_id LIMIT $5 OFFSET $6"#,
        tx.tenant().0,
        department,
        active,
        search,
        page.limit(),
        page.offset(),
        closed.as_ref().map(|closed| closed.last) as Option<NaiveDate>,
    )
    .fetch_all(tx.conn())
    .await?;
    let as_of = closed.map(|closed| closed.as_of);
    Ok(EmployeeList { as_of, items, page: query.page.get(), limit: query.limit.get(), total })
}
