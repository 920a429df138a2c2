//! Imports of suppliers' files. The file is taken here; what is in it a job finds out.

use axum::{Json, response::Response};
use permanence_domain::{
    ids::ImportId,
    inventory::import::{self, Import, ImportOptions},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Csv, InventoryRead, InventoryWrite, Path, Query, Read, Upload},
};

/// Import a supplier's file: the body is the CSV itself. A job reads it, and applies all of it or nothing; its report tells
/// every fault.
#[utoipa::path(post, path = "/inventory/imports", tag = "inventory", security(("bearer" = [])),
    request_body(content = String, content_type = "text/csv"),
    params(("Idempotency-Key" = String, Header), ImportOptions),
    responses((status = 202, body = Import), CommonErrors))]
pub(crate) async fn request_import(
    Query(options): Query<ImportOptions>,
    Upload { mut create, .. }: Upload<InventoryWrite, Csv>,
) -> Result<Response> {
    let (object, bytes) = (&create.body.object, create.body.bytes);
    let import = import::request_import(&mut create.tx, &options, object, bytes).await?;
    create.accepted(format!("/api/v1/inventory/imports/{}", import.id), &import).await
}

/// An import with its report.
#[utoipa::path(get, path = "/inventory/imports/{id}", tag = "inventory", security(("bearer" = [])),
    params(("id" = ImportId, Path)), responses((status = 200, body = Import), CommonErrors))]
pub(crate) async fn get_import(
    mut read: Read<InventoryRead>,
    Path(id): Path<ImportId>,
) -> Result<Json<Import>> {
    let import = import::get_import(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(import))
}
