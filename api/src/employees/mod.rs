//! The employees of a company: brought in, listed with how often they consulted, suspended; each sees themselves.

use axum::{Json, response::Response};
use permanence_domain::{
    Error,
    ids::UserId,
    people::{
        self, ChangeEmployee, Employee, EmployeeImport, EmployeeList, EmployeeQuery, NameSelf, NewEmployee,
    },
};

use crate::{
    error::{CommonErrors, Result},
    extract::{
        Change, Create, EmployeesRead, EmployeesSelf, EmployeesWrite, Empty, Path, Query, Read, Sheet,
    },
    respond::{Versioned, versioned},
};

/// Bring an employee in; the mail with the invitation leaves as a job.
#[utoipa::path(post, path = "/employees", tag = "employees", security(("bearer" = [])), request_body = NewEmployee,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Employee), CommonErrors))]
pub(crate) async fn add_employee(mut create: Create<EmployeesWrite, NewEmployee>) -> Result<Response> {
    let employee = people::add_employee(&mut create.tx, &create.body).await?;
    create.created(format!("/api/v1/employees/{}", employee.id), &employee).await
}

/// Bring in the employees of a CSV file: `email,firstName,lastName,department,position`. Each sound line counts.
#[utoipa::path(post, path = "/employees/import", tag = "employees", security(("bearer" = [])),
    request_body(content = String, content_type = "text/csv"), params(("Idempotency-Key" = String, Header)),
    responses((status = 200, body = EmployeeImport), CommonErrors))]
pub(crate) async fn import_employees(sheet: Sheet<EmployeesWrite>) -> Result<Response> {
    let mut create = sheet.create;
    let import = people::import_employees(&mut create.tx, &create.body).await?;
    create.ok(&import).await
}

/// The employees, by name, each with how often they consulted.
#[utoipa::path(get, path = "/employees", tag = "employees", security(("bearer" = [])), params(EmployeeQuery),
    responses((status = 200, body = EmployeeList), CommonErrors))]
pub(crate) async fn list_employees(
    mut read: Read<EmployeesRead>,
    Query(query): Query<EmployeeQuery>,
) -> Result<Json<EmployeeList>> {
    let employees = people::list_employees(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(employees))
}

/// Oneself.
#[utoipa::path(get, path = "/employees/me", tag = "employees", security(("bearer" = [])),
    responses((status = 200, body = Employee), CommonErrors))]
pub(crate) async fn get_self(mut read: Read<EmployeesSelf>) -> Result<Versioned<Employee>> {
    let user = read.tx.actor().user.ok_or(Error::NotFound("employee"))?;
    let employee = people::get_employee(&mut read.tx, user).await?;
    read.tx.commit().await?;
    Ok(versioned(employee.version, employee))
}

/// Change how one is called.
#[utoipa::path(put, path = "/employees/me", tag = "employees", security(("bearer" = [])), request_body = NameSelf,
    params(("If-Match" = String, Header)), responses((status = 200, body = Employee), CommonErrors))]
pub(crate) async fn name_self(mut change: Change<EmployeesSelf, NameSelf>) -> Result<Versioned<Employee>> {
    let employee = people::name_self(&mut change.tx, change.version, change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(employee.version, employee))
}

/// One employee; whoever does not run the company finds themselves alone.
#[utoipa::path(get, path = "/employees/{id}", tag = "employees", security(("bearer" = [])),
    params(("id" = UserId, Path)), responses((status = 200, body = Employee), CommonErrors))]
pub(crate) async fn get_employee(
    mut read: Read<EmployeesSelf>,
    Path(id): Path<UserId>,
) -> Result<Versioned<Employee>> {
    let employee = people::get_employee_as(&mut read.tx, read.role, id).await?;
    read.tx.commit().await?;
    Ok(versioned(employee.version, employee))
}

/// Change how an employee is described.
#[utoipa::path(put, path = "/employees/{id}", tag = "employees", security(("bearer" = [])), request_body = ChangeEmployee,
    params(("id" = UserId, Path), ("If-Match" = String, Header)), responses((status = 200, body = Employee), CommonErrors))]
pub(crate) async fn update_employee(
    Path(id): Path<UserId>,
    mut change: Change<EmployeesWrite, ChangeEmployee>,
) -> Result<Versioned<Employee>> {
    let employee = people::update_employee(&mut change.tx, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(employee.version, employee))
}

/// Restore a suspended employee.
#[utoipa::path(put, path = "/employees/{id}/activate", tag = "employees", security(("bearer" = [])),
    params(("id" = UserId, Path), ("If-Match" = String, Header)), responses((status = 200, body = Employee), CommonErrors))]
pub(crate) async fn activate_employee(
    Path(id): Path<UserId>,
    change: Change<EmployeesWrite, Empty>,
) -> Result<Versioned<Employee>> {
    set_active(id, change, true).await
}

/// Suspend an employee, whose sessions end at once.
#[utoipa::path(put, path = "/employees/{id}/deactivate", tag = "employees", security(("bearer" = [])),
    params(("id" = UserId, Path), ("If-Match" = String, Header)), responses((status = 200, body = Employee), CommonErrors))]
pub(crate) async fn deactivate_employee(
    Path(id): Path<UserId>,
    change: Change<EmployeesWrite, Empty>,
) -> Result<Versioned<Employee>> {
    set_active(id, change, false).await
}

async fn set_active(
    id: UserId,
    mut change: Change<EmployeesWrite, Empty>,
    active: bool,
) -> Result<Versioned<Employee>> {
    let employee = people::set_active(&mut change.tx, id, change.version, active).await?;
    change.tx.commit().await?;
    Ok(versioned(employee.version, employee))
}
