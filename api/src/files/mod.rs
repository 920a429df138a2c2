//! Files: handed in, listed, read, retracted. What is in one is looked at where it is received, and opened chunk by chunk where it
//! is read; it is never whole in memory.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use permanence_domain::{
    files::{self, FileQuery, NewFile, StoredFile},
    ids::FileId,
    page::Page,
};

use crate::{
    error::{CommonErrors, Result},
    extract::{FilesRead, FilesWrite, Handed, Path, Query, Read, Upload, discard},
    sealed::opened,
    state::App,
};

/// Hand a file in: the body is a JPEG, a PNG or a PDF of at most 10 MiB, by what it holds. It is sealed before it is stored.
#[utoipa::path(post, path = "/files", tag = "files", security(("bearer" = [])),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    params(("Idempotency-Key" = String, Header), NewFile),
    responses((status = 201, body = StoredFile), CommonErrors))]
pub(crate) async fn hand_in_file(
    State(app): State<App>,
    Query(new): Query<NewFile>,
    Upload { mut create, .. }: Upload<FilesWrite, Handed>,
) -> Result<Response> {
    let received = create.body.sealed()?;
    let kept = files::keep(&mut create.tx, create.role, &app.vault, new, &received).await;
    match kept {
        Ok(file) => create.created(format!("/api/v1/files/{}", file.id), &file).await,
        Err(error) => {
            discard(&app, &create.body.object).await;
            Err(error.into())
        }
    }
}

/// A patient's files, or the practice's own, the newest first. Listing a patient's is noted in the audit trail.
#[utoipa::path(get, path = "/files", tag = "files", security(("bearer" = [])), params(FileQuery),
    responses((status = 200, body = Page<StoredFile>), CommonErrors))]
pub(crate) async fn list_files(
    mut read: Read<FilesRead>,
    Query(query): Query<FileQuery>,
) -> Result<Json<Page<StoredFile>>> {
    let page = files::list(&mut read.tx, read.role, &query).await?;
    read.tx.commit().await?;
    Ok(Json(page))
}

/// What is known of a file.
#[utoipa::path(get, path = "/files/{id}", tag = "files", security(("bearer" = [])),
    params(("id" = FileId, Path)), responses((status = 200, body = StoredFile), CommonErrors))]
pub(crate) async fn get_file(mut read: Read<FilesRead>, Path(id): Path<FileId>) -> Result<Json<StoredFile>> {
    let file = files::get(&mut read.tx, read.role, id).await?;
    read.tx.commit().await?;
    Ok(Json(file))
}

/// A file itself, to be saved. Reading it is noted in the audit trail.
#[utoipa::path(get, path = "/files/{id}/content", tag = "files", security(("bearer" = [])),
    params(("id" = FileId, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), CommonErrors))]
pub(crate) async fn read_file(
    State(app): State<App>,
    mut read: Read<FilesRead>,
    Path(id): Path<FileId>,
) -> Result<Response> {
    let content = files::content(&mut read.tx, read.role, &app.vault, id).await?;
    read.tx.commit().await?;
    Ok(saved(&content, opened(&app, &content.object, &content.key).await?))
}

/// An answer that a browser saves and never shows in our name.
fn saved(content: &files::StoredContent, body: Body) -> Response {
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    let text = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("attachment"));
    headers.insert(header::CONTENT_TYPE, text(&content.file.media_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(content.file.bytes));
    let disposition = format!("attachment; filename=\"{}\"", content.name());
    headers.insert(header::CONTENT_DISPOSITION, text(&disposition));
    response
}

/// Retract a file: whoever handed it in may, and whoever answers for such files.
#[utoipa::path(delete, path = "/files/{id}", tag = "files", security(("bearer" = [])),
    params(("id" = FileId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn retract_file(mut write: Read<FilesWrite>, Path(id): Path<FileId>) -> Result<StatusCode> {
    files::retract(&mut write.tx, write.role, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
