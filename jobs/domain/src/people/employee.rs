//! One employee: brought in with an invitation, described, suspended. Knows nothing of what the employee consults for.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Result},
    field::{EmailAddress, FullName, Label, PersonName},
    identity::{self, NewMember, Role, Scope},
    ids::UserId,
    tenants::{self, CompanyDomain},
};

/// An employee to bring in.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewEmployee {
    /// Where the invitation goes: of a domain that the company allows.
    pub email: EmailAddress,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Department.
    #[deserr(default)]
    pub department: Option<Label>,
    /// What the employee does there.
    #[deserr(default)]
    pub position: Option<Label>,
}

/// What an employee's description is to become, whole.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ChangeEmployee {
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Department.
    #[deserr(default)]
    pub department: Option<Label>,
    /// What the employee does there.
    #[deserr(default)]
    pub position: Option<Label>,
}

/// How an employee is called.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NameSelf {
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
}

/// An employee.
#[derive(Debug, Serialize, ToSchema)]
pub struct Employee {
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
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Brought in at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

/// Refuses an address of a domain that the company does not allow.
pub(super) fn allowed(domains: &[CompanyDomain], email: &EmailAddress) -> Result<(), Problem> {
    if domains.is_empty() || domains.iter().any(|domain| domain.holds(email)) {
        return Ok(());
    }
    let names: Vec<&str> = domains.iter().map(CompanyDomain::as_str).collect();
    let expected = format!("an address of {}", names.join(", "));
    Err(Problem::new("email", "domain_not_allowed", expected).read(email.as_str()))
}

/// Brings an employee in; the invitation leaves as a job.
pub async fn add_employee(tx: &mut TenantTx, new: &NewEmployee) -> Result<Employee> {
    let domains = tenants::require_active(tx).await?;
    allowed(&domains, &new.email).map_err(|problem| Invalid(vec![problem]))?;
    let id = insert(tx, new).await?;
    get_employee(tx, id).await
}

fn full_name(first: &PersonName, last: &PersonName) -> Result<FullName> {
    let name = format!("{} {}", first.as_str(), last.as_str());
    // Two names of a hundred characters and a space are one too long.
    let cut: String = name.chars().take(200).collect();
    FullName::parse(&cut).map_err(|problem| Invalid(vec![problem]).into())
}

/// Adds membership, description and invitation of an employee whose address is allowed.
pub(super) async fn insert(tx: &mut TenantTx, new: &NewEmployee) -> Result<UserId> {
    let member = NewMember {
        email: new.email.clone(),
        full_name: full_name(&new.first_name, &new.last_name)?,
        role: Role::Employee,
    };
    let id = identity::bring_in(tx, &member).await?.id;
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "INSERT INTO employees (tenant_id, user_id, first_name, last_name, department, position, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        tenant.0,
        id.0,
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.department.as_ref().map(Label::as_str),
        new.position.as_ref().map(Label::as_str),
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "employee.add", "employee", id.0).await?;
    Ok(id)
}

/// One employee.
pub async fn get_employee(tx: &mut TenantTx, id: UserId) -> Result<Employee> {
    sqlx::query_as!(
        Employee,
        r#"SELECT e.user_id AS "id: UserId", u.email, e.first_name, e.last_name, e.department, e.position,
                  m.suspended_at IS NULL AS "is_active!", m.accepted_at, e.version, e.created_at, e.updated_at
           FROM employees e
           JOIN memberships m ON m.tenant_id = e.tenant_id AND m.user_id = e.user_id
           JOIN users u ON u.id = e.user_id
           WHERE e.tenant_id = $1 AND e.user_id = $2"#,
        tx.tenant().0,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("employee"))
}

/// One employee, of whom a colleague is not found.
pub async fn get_employee_as(tx: &mut TenantTx, role: Role, id: UserId) -> Result<Employee> {
    if !role.may(Scope::EmployeesRead) && tx.actor().user != Some(id) {
        return Err(Error::NotFound("employee"));
    }
    get_employee(tx, id).await
}

/// Locks an employee at the version that was read.
async fn lock(tx: &mut TenantTx, id: UserId, version: i32) -> Result<()> {
    let present = sqlx::query_scalar!(
        "SELECT version FROM employees WHERE tenant_id = $1 AND user_id = $2 FOR NO KEY UPDATE",
        tx.tenant().0,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("employee"))?;
    if present == version { Ok(()) } else { Err(Error::Changed("employee")) }
}

/// Changes how an employee is described.
pub async fn update_employee(
    tx: &mut TenantTx,
    id: UserId,
    version: i32,
    new: &ChangeEmployee,
) -> Result<Employee> {
    lock(tx, id, version).await?;
    let now = tx.now();
    sqlx::query!(
        "UPDATE employees
         SET first_name = $3, last_name = $4, department = $5, position = $6, version = version + 1, updated_at = $7
         WHERE tenant_id = $1 AND user_id = $2",
        tx.tenant().0,
        id.0,
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.department.as_ref().map(Label::as_str),
        new.position.as_ref().map(Label::as_str),
        now,
    )
    .execute(tx.conn())
    .await?;
    let full_name = full_name(&new.first_name, &new.last_name)?;
    sqlx::query!(
        "UPDATE memberships SET full_name = $3, version = version + 1 WHERE tenant_id = $1 AND user_id = $2",
        tx.tenant().0,
        id.0,
        full_name.as_str(),
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "employee.update", "employee", id.0).await?;
    get_employee(tx, id).await
}

/// Changes one's own name; where one works is the company's to say.
pub async fn name_self(tx: &mut TenantTx, version: i32, new: NameSelf) -> Result<Employee> {
    let id = tx.actor().user.ok_or(Error::NotFound("employee"))?;
    let present = get_employee(tx, id).await?;
    let label = |text: Option<String>| {
        text.map(|text| Label::parse(&text))
            .transpose()
            .map_err(|problem| Error::from(Invalid(vec![problem])))
    };
    let change = ChangeEmployee {
        first_name: new.first_name,
        last_name: new.last_name,
        department: label(present.department)?,
        position: label(present.position)?,
    };
    update_employee(tx, id, version, &change).await
}

/// Suspends an employee, whose sessions end, or restores them.
pub async fn set_active(tx: &mut TenantTx, id: UserId, version: i32, active: bool) -> Result<Employee> {
    lock(tx, id, version).await?;
    identity::suspend(tx, id, !active).await?;
    let now = tx.now();
    sqlx::query!(
        "UPDATE employees SET version = version + 1, updated_at = $3 WHERE tenant_id = $1 AND user_id = $2",
        tx.tenant().0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    let action = if active { "employee.activate" } else { "employee.deactivate" };
    audit::record(tx, action, "employee", id.0).await?;
    get_employee(tx, id).await
}
