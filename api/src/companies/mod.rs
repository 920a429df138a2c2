//! Companies: founded and validated by the platform, changed by it or by whoever runs them.

use axum::{Json, response::Response};
use permanence_domain::{
    ids::TenantId,
    operations::JobsTx,
    page::{Page, PageQuery},
    tenants::{self, Company, NewAgreement, NewCompany, UpdateCompany},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Change, CompaniesManage, CompaniesRead, CompaniesWrite, Create, Empty, Path, Query, Read},
    respond::{Versioned, versioned},
};

/// Found a company; it is inactive until it is validated. Whoever will run it is invited.
#[utoipa::path(post, path = "/companies", tag = "companies", security(("bearer" = [])), request_body = NewCompany,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Company), CommonErrors))]
pub(crate) async fn found_company(create: Create<CompaniesManage, NewCompany>) -> Result<Response> {
    let (tx, new, answering) = create.for_platform().await?;
    let (tx, company) = tenants::found_company(tx, &new).await?;
    answering.created(JobsTx::All(tx), format!("/api/v1/companies/{}", company.id), &company).await
}

/// The companies, by name.
#[utoipa::path(get, path = "/companies", tag = "companies", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Company>), CommonErrors))]
pub(crate) async fn list_companies(
    read: Read<CompaniesManage>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Company>>> {
    let mut tx = read.tx.widen().await?;
    let companies = tenants::list_companies(&mut tx, page).await?;
    tx.commit().await?;
    Ok(Json(companies))
}

/// The caller's company.
#[utoipa::path(get, path = "/companies/me", tag = "companies", security(("bearer" = [])),
    responses((status = 200, body = Company), CommonErrors))]
pub(crate) async fn get_own_company(read: Read<CompaniesRead>) -> Result<Versioned<Company>> {
    let id = read.tx.tenant();
    show(read, id).await
}

/// One company: the platform any, whoever runs one their own.
#[utoipa::path(get, path = "/companies/{id}", tag = "companies", security(("bearer" = [])),
    params(("id" = TenantId, Path)), responses((status = 200, body = Company), CommonErrors))]
pub(crate) async fn get_company(
    read: Read<CompaniesRead>,
    Path(id): Path<TenantId>,
) -> Result<Versioned<Company>> {
    show(read, id).await
}

async fn show(read: Read<CompaniesRead>, id: TenantId) -> Result<Versioned<Company>> {
    let mut tx = tenants::reach_company(read.tx, read.role, id).await?;
    let company = tenants::get_company(&mut tx, id).await?;
    tx.commit().await?;
    Ok(versioned(company.version, company))
}

/// Change a company: the platform any, whoever runs one their own.
#[utoipa::path(put, path = "/companies/{id}", tag = "companies", security(("bearer" = [])), request_body = UpdateCompany,
    params(("id" = TenantId, Path), ("If-Match" = String, Header)), responses((status = 200, body = Company), CommonErrors))]
pub(crate) async fn update_company(
    Path(id): Path<TenantId>,
    change: Change<CompaniesWrite, UpdateCompany>,
) -> Result<Versioned<Company>> {
    let mut tx = tenants::reach_company(change.tx, change.role, id).await?;
    let company = tenants::update_company(&mut tx, id, change.version, &change.body).await?;
    tx.commit().await?;
    Ok(versioned(company.version, company))
}

/// Validate a company: from now on it may bring in employees.
#[utoipa::path(put, path = "/companies/{id}/validate", tag = "companies", security(("bearer" = [])),
    params(("id" = TenantId, Path), ("If-Match" = String, Header)), responses((status = 200, body = Company), CommonErrors))]
pub(crate) async fn validate_company(
    Path(id): Path<TenantId>,
    change: Change<CompaniesManage, Empty>,
) -> Result<Versioned<Company>> {
    let mut tx = change.tx.widen().await?;
    let company = tenants::validate_company(&mut tx, id, change.version).await?;
    tx.commit().await?;
    Ok(versioned(company.version, company))
}

/// Note that a company's employees may book with a practice.
#[utoipa::path(post, path = "/companies/{id}/practices", tag = "companies", security(("bearer" = [])),
    request_body = NewAgreement, params(("id" = TenantId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 204), CommonErrors))]
pub(crate) async fn add_agreement(
    Path(id): Path<TenantId>,
    create: Create<CompaniesManage, NewAgreement>,
) -> Result<Response> {
    let (mut tx, new, answering) = create.for_platform().await?;
    tenants::add_agreement(&mut tx, id, &new).await?;
    answering.done(JobsTx::All(tx)).await
}
