//! What is known of a person, for that person: asked for, followed, fetched. The file is sealed in the object store and opened
//! here, frame by frame; nothing of it is kept.

use axum::{Json, body::Body, extract::State, http::header, response::Response};
use permanence_domain::{
    Error,
    access::{self, AccessRequest, AccessRequestQuery, Fetch},
    ids::{AccessRequestId, PatientId},
    page::Page,
    vault,
};

use crate::{
    error::{CommonErrors, Result},
    extract::{AccessRead, AccessWrite, Anybody, Create, Empty, Path, Query, Read},
    state::App,
};

/// Ask for what is known of a patient, for the patient: `Location` tells how it goes.
#[utoipa::path(post, path = "/patients/{id}/access-request", tag = "access", security(("bearer" = [])),
    params(("id" = PatientId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 202, body = AccessRequest), CommonErrors))]
pub(crate) async fn request_patient_access(
    Path(patient): Path<PatientId>,
    mut create: Create<AccessWrite, Empty>,
) -> Result<Response> {
    let request = access::request_of_patient(&mut create.tx, patient).await?;
    create.accepted(format!("/api/v1/access-requests/{}", request.id), &request).await
}

/// The requests of the practice's patients: those first that wait for an answer, by their last day.
#[utoipa::path(get, path = "/access-requests", tag = "access", security(("bearer" = [])), params(AccessRequestQuery),
    responses((status = 200, body = Page<AccessRequest>), CommonErrors))]
pub(crate) async fn list_access_requests(
    mut read: Read<AccessRead>,
    Query(query): Query<AccessRequestQuery>,
) -> Result<Json<Page<AccessRequest>>> {
    let page = access::list(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(page))
}

/// How a request stands, and until when it is to be answered.
#[utoipa::path(get, path = "/access-requests/{id}", tag = "access", security(("bearer" = [])),
    params(("id" = AccessRequestId, Path)), responses((status = 200, body = AccessRequest), CommonErrors))]
pub(crate) async fn get_access_request(
    mut read: Read<AccessRead>,
    Path(id): Path<AccessRequestId>,
) -> Result<Json<AccessRequest>> {
    let request = access::get(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(request))
}

/// The file of a request: a ZIP archive, opened on its way. Each time is noted.
#[utoipa::path(get, path = "/access-requests/{id}/download", tag = "access", security(("bearer" = [])),
    params(("id" = AccessRequestId, Path)),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), CommonErrors))]
pub(crate) async fn download_access_file(
    State(app): State<App>,
    mut read: Read<AccessRead>,
    Path(id): Path<AccessRequestId>,
) -> Result<Response> {
    let file = access::fetch_of_patient(&mut read.tx, &app.vault, id).await?;
    read.tx.commit().await?;
    opened(&app, file).await
}

/// Ask for what is known of the caller, in every tenant: `Location` tells how it goes.
#[utoipa::path(post, path = "/users/me/export", tag = "access", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header)), responses((status = 202, body = AccessRequest), CommonErrors))]
pub(crate) async fn request_own_export(mut create: Create<Anybody, Empty>) -> Result<Response> {
    let request = access::request_of_user(&mut create.tx).await?;
    create.accepted("/api/v1/users/me/export".to_owned(), &request).await
}

/// How the caller's newest request stands.
#[utoipa::path(get, path = "/users/me/export", tag = "access", security(("bearer" = [])),
    responses((status = 200, body = AccessRequest), CommonErrors))]
pub(crate) async fn get_own_export(mut read: Read<Anybody>) -> Result<Json<AccessRequest>> {
    let request = access::latest_of_user(&mut read.tx).await?;
    read.tx.commit().await?;
    Ok(Json(request))
}

/// The file of the caller's newest request: a ZIP archive, opened on its way. Each time is noted.
#[utoipa::path(get, path = "/users/me/export/download", tag = "access", security(("bearer" = [])),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), CommonErrors))]
pub(crate) async fn download_own_export(State(app): State<App>, mut read: Read<Anybody>) -> Result<Response> {
    let file = access::fetch_of_user(&mut read.tx, &app.vault).await?;
    read.tx.commit().await?;
    opened(&app, file).await
}

/// The file on its way to the caller. What breaks off has not the length that was told: no half is taken for the whole.
async fn opened(app: &App, file: Fetch) -> Result<Response> {
    let sealed = app.storage.read(&file.object).await?;
    let body = Body::from_stream(vault::opened(sealed, file.key, file.place));
    let disposition = format!("attachment; filename=\"{}\"", file.file_name);
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "application/zip")
        .header(header::CONTENT_LENGTH, file.size_bytes)
        .header(header::CONTENT_DISPOSITION, disposition)
        .body(body);
    Ok(response.map_err(Error::internal)?)
}
