//! Who treats.

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    ids::PractitionerId,
    page::{Page, PageQuery},
    people::{self, NewPractitioner, Practitioner},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Change, Create, Path, PracticeRead, PracticeWrite, Query, Read},
    respond::{Versioned, versioned},
};

/// Add a practitioner.
#[utoipa::path(post, path = "/practitioners", tag = "practitioners", security(("bearer" = [])), request_body = NewPractitioner,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Practitioner), CommonErrors))]
pub(crate) async fn add_practitioner(mut create: Create<PracticeWrite, NewPractitioner>) -> Result<Response> {
    let practitioner = people::add(&mut create.tx, &create.body).await?;
    create.created(format!("/api/v1/practitioners/{}", practitioner.id), &practitioner).await
}

/// The practitioners, by name.
#[utoipa::path(get, path = "/practitioners", tag = "practitioners", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Practitioner>), CommonErrors))]
pub(crate) async fn list_practitioners(
    mut read: Read<PracticeRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Practitioner>>> {
    let practitioners = people::list(&mut read.tx, page).await?;
    read.tx.commit().await?;
    Ok(Json(practitioners))
}

/// One practitioner.
#[utoipa::path(get, path = "/practitioners/{id}", tag = "practitioners", security(("bearer" = [])), params(("id" = PractitionerId, Path)),
    responses((status = 200, body = Practitioner), CommonErrors))]
pub(crate) async fn get_practitioner(
    mut read: Read<PracticeRead>,
    Path(id): Path<PractitionerId>,
) -> Result<Versioned<Practitioner>> {
    let practitioner = people::get(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(practitioner.version, practitioner))
}

/// Replace what is known of a practitioner.
#[utoipa::path(put, path = "/practitioners/{id}", tag = "practitioners", security(("bearer" = [])), request_body = NewPractitioner,
    params(("id" = PractitionerId, Path), ("If-Match" = String, Header)), responses((status = 200, body = Practitioner), CommonErrors))]
pub(crate) async fn update_practitioner(
    Path(id): Path<PractitionerId>,
    mut change: Change<PracticeWrite, NewPractitioner>,
) -> Result<Versioned<Practitioner>> {
    let practitioner = people::update(&mut change.tx, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(practitioner.version, practitioner))
}

/// Remove a practitioner that no coming appointment needs.
#[utoipa::path(delete, path = "/practitioners/{id}", tag = "practitioners", security(("bearer" = [])), params(("id" = PractitionerId, Path)),
    responses((status = 204), CommonErrors))]
pub(crate) async fn delete_practitioner(
    mut write: Read<PracticeWrite>,
    Path(id): Path<PractitionerId>,
) -> Result<StatusCode> {
    people::delete(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
