//! What the practice charges for.

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    billing::{self, NewService, Service},
    ids::ServiceId,
    page::{Page, PageQuery},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{BillingRead, BillingWrite, Change, Create, Path, Query, Read},
    respond::{Versioned, versioned},
};

/// Add a service.
#[utoipa::path(post, path = "/services", tag = "services", security(("bearer" = [])), request_body = NewService,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Service), CommonErrors))]
pub(crate) async fn add_service(mut create: Create<BillingWrite, NewService>) -> Result<Response> {
    let service = billing::add_service(&mut create.tx, &create.body).await?;
    create.created(format!("/api/v1/services/{}", service.id), &service).await
}

/// The services, by name.
#[utoipa::path(get, path = "/services", tag = "services", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Service>), CommonErrors))]
pub(crate) async fn list_services(
    mut read: Read<BillingRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Service>>> {
    let services = billing::list_services(&mut read.tx, page).await?;
    read.tx.commit().await?;
    Ok(Json(services))
}

/// One service.
#[utoipa::path(get, path = "/services/{id}", tag = "services", security(("bearer" = [])),
    params(("id" = ServiceId, Path)), responses((status = 200, body = Service), CommonErrors))]
pub(crate) async fn get_service(
    mut read: Read<BillingRead>,
    Path(id): Path<ServiceId>,
) -> Result<Versioned<Service>> {
    let service = billing::get_service(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(service.version, service))
}

/// Replace what is known of a service.
#[utoipa::path(put, path = "/services/{id}", tag = "services", security(("bearer" = [])), request_body = NewService,
    params(("id" = ServiceId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Service), CommonErrors))]
pub(crate) async fn update_service(
    Path(id): Path<ServiceId>,
    mut change: Change<BillingWrite, NewService>,
) -> Result<Versioned<Service>> {
    let service = billing::update_service(&mut change.tx, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(service.version, service))
}

/// Remove a service.
#[utoipa::path(delete, path = "/services/{id}", tag = "services", security(("bearer" = [])),
    params(("id" = ServiceId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn delete_service(
    mut write: Read<BillingWrite>,
    Path(id): Path<ServiceId>,
) -> Result<StatusCode> {
    billing::delete_service(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
