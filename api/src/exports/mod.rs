//! Exports: asked for, followed, fetched, removed. The files themselves never pass through here.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::Response,
};
use permanence_domain::{
    exports::{self, Export, ExportStatus, NewExport},
    ids::ExportId,
    page::{Page, PageQuery},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{CommonErrors, Result},
    extract::{Create, ExportsRead, ExportsWrite, Path, Query, Read},
    jobs::links::Link,
    state::App,
};

/// Where to go on from an export.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExportLinks {
    /// The export.
    #[serde(rename = "self")]
    this: Link,
    /// The job that writes it, with its progress.
    job: Link,
    /// The file, while it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    download: Option<Link>,
}

/// An export, and where to go on from it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkedExport {
    #[serde(flatten)]
    export: Export,
    /// Where to go on.
    links: ExportLinks,
}

impl From<Export> for LinkedExport {
    fn from(export: Export) -> Self {
        let path = format!("/api/v1/exports/{}", export.id);
        let there = export.status == ExportStatus::Completed;
        let links = ExportLinks {
            download: there.then(|| Link::get(format!("{path}/download"))),
            job: Link::get(format!("/api/v1/jobs/{}", export.job_id)),
            this: Link::get(path),
        };
        Self { export, links }
    }
}

/// Ask for an export: `Location` is the job that writes it, the body tells the export's own address.
#[utoipa::path(post, path = "/exports", tag = "exports", security(("bearer" = [])), request_body = NewExport,
    params(("Idempotency-Key" = String, Header)), responses((status = 202, body = LinkedExport), CommonErrors))]
pub(crate) async fn request_export(mut create: Create<ExportsWrite, NewExport>) -> Result<Response> {
    let export = exports::request(&mut create.tx, &create.body).await?;
    create.accepted(format!("/api/v1/jobs/{}", export.job_id), &LinkedExport::from(export)).await
}

/// The exports, the newest first.
#[utoipa::path(get, path = "/exports", tag = "exports", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<LinkedExport>), CommonErrors))]
pub(crate) async fn list_exports(
    mut read: Read<ExportsRead>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<LinkedExport>>> {
    let page = exports::list(&mut read.tx, query).await?;
    read.tx.commit().await?;
    Ok(Json(page.map(LinkedExport::from)))
}

/// One export.
#[utoipa::path(get, path = "/exports/{id}", tag = "exports", security(("bearer" = [])),
    params(("id" = ExportId, Path)), responses((status = 200, body = LinkedExport), CommonErrors))]
pub(crate) async fn get_export(
    mut read: Read<ExportsRead>,
    Path(id): Path<ExportId>,
) -> Result<Json<LinkedExport>> {
    let export = exports::get(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(export.into()))
}

/// Go to the file of an export: a link that ends with it. Each time is noted.
#[utoipa::path(get, path = "/exports/{id}/download", tag = "exports", security(("bearer" = [])),
    params(("id" = ExportId, Path)), responses((status = 302, description = "The file is at `Location`."), CommonErrors))]
pub(crate) async fn download_export(
    State(app): State<App>,
    mut read: Read<ExportsRead>,
    Path(id): Path<ExportId>,
) -> Result<(StatusCode, [(HeaderName, String); 1])> {
    let file = exports::download(&mut read.tx, id).await?;
    let link = app.storage.link(&file.key, &file.file_name, file.life).await?;
    read.tx.commit().await?;
    Ok((StatusCode::FOUND, [(header::LOCATION, link)]))
}

/// Remove an export at once: its job is stopped, its file goes, and every link to it ends.
#[utoipa::path(delete, path = "/exports/{id}", tag = "exports", security(("bearer" = [])),
    params(("id" = ExportId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn remove_export(
    mut write: Read<ExportsWrite>,
    Path(id): Path<ExportId>,
) -> Result<StatusCode> {
    exports::remove(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
