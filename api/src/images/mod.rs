//! Pictures of patients. They go to the object store and come from it by links: none passes through here.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use permanence_domain::{
    files::images::{self, Image, ImageAsked, ImageQuery, Invitation, NewImage},
    ids::{ImageId, PatientId},
    page::Page,
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Create, Empty, Path, Query, Read, RecordsRead, RecordsWrite},
    state::App,
};

/// Announce a picture of a patient who consents to pictures: the answer says where to PUT it within 15 minutes, with exactly the
/// headers that it names. Then complete it.
#[utoipa::path(post, path = "/patients/{id}/images", tag = "images", security(("bearer" = [])), request_body = NewImage,
    params(("id" = PatientId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Invitation), CommonErrors))]
pub(crate) async fn announce_image(
    State(app): State<App>,
    Path(patient): Path<PatientId>,
    mut create: Create<RecordsWrite, NewImage>,
) -> Result<Response> {
    let invitation = images::invite(&mut create.tx, &app.vault, &app.storage, patient, &create.body).await?;
    create.created(format!("/api/v1/images/{}", invitation.id), &invitation).await
}

/// Say that a picture was sent: a job looks at it, and `Location` tells what became of it.
#[utoipa::path(post, path = "/images/{id}/complete", tag = "images", security(("bearer" = [])),
    params(("id" = ImageId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 202, body = ImageAsked), CommonErrors))]
pub(crate) async fn complete_image(
    Path(id): Path<ImageId>,
    mut create: Create<RecordsWrite, Empty>,
) -> Result<Response> {
    let asked = images::complete(&mut create.tx, id).await?;
    create.accepted(format!("/api/v1/images/{id}"), &asked).await
}

/// A patient's pictures, the newest first, with links that live five minutes. Reading them is noted in the audit trail.
#[utoipa::path(get, path = "/patients/{id}/images", tag = "images", security(("bearer" = [])),
    params(("id" = PatientId, Path), ImageQuery), responses((status = 200, body = Page<Image>), CommonErrors))]
pub(crate) async fn list_images(
    State(app): State<App>,
    mut read: Read<RecordsRead>,
    Path(patient): Path<PatientId>,
    Query(query): Query<ImageQuery>,
) -> Result<Json<Page<Image>>> {
    let page = images::list(&mut read.tx, &app.vault, patient, &query).await?;
    read.tx.commit().await?;
    Ok(Json(images::linked(page, &app.storage).await?))
}

/// A picture: what it shows, how it stands, and links that live five minutes. Reading it is noted in the audit trail.
#[utoipa::path(get, path = "/images/{id}", tag = "images", security(("bearer" = [])),
    params(("id" = ImageId, Path)), responses((status = 200, body = Image), CommonErrors))]
pub(crate) async fn get_image(
    State(app): State<App>,
    mut read: Read<RecordsRead>,
    Path(id): Path<ImageId>,
) -> Result<Json<Image>> {
    let image = images::read(&mut read.tx, &app.vault, id).await?;
    read.tx.commit().await?;
    Ok(Json(image.linked(&app.storage).await?))
}

/// Retract a picture: one that is kept stays, and is shown no more.
#[utoipa::path(delete, path = "/images/{id}", tag = "images", security(("bearer" = [])),
    params(("id" = ImageId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn retract_image(
    mut write: Read<RecordsWrite>,
    Path(id): Path<ImageId>,
) -> Result<StatusCode> {
    images::retract(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
