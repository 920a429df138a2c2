//! Practices that move in with what their browsers kept. The dump is taken here; what is in it a job finds out.

use axum::{Json, response::Response};
use permanence_domain::{
    ids::MigrationId,
    import::{self, Migration, MigrationOptions},
    page::{Page, PageQuery},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Create, Dump, Empty, MigrationsRead, MigrationsWrite, Path, Query, Read, Upload},
};

/// Move a practice in: the body is the dump itself, an object of JSON with an array for each table. A job checks all of it,
/// backs up what there is, and moves all of it in or nothing; its report tells every fault.
#[utoipa::path(post, path = "/migrations", tag = "migrations", security(("bearer" = [])),
    request_body(content = String, content_type = "application/json"),
    params(("Idempotency-Key" = String, Header), MigrationOptions),
    responses((status = 202, body = Migration), CommonErrors))]
pub(crate) async fn request_migration(
    Query(options): Query<MigrationOptions>,
    Upload { mut create, .. }: Upload<MigrationsWrite, Dump>,
) -> Result<Response> {
    let (object, bytes) = (&create.body.object, create.body.bytes);
    let migration = import::request(&mut create.tx, &options, object, bytes).await?;
    create.accepted(format!("/api/v1/migrations/{}", migration.migration_id), &migration).await
}

/// The migrations, the newest first.
#[utoipa::path(get, path = "/migrations", tag = "migrations", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Migration>), CommonErrors))]
pub(crate) async fn list_migrations(
    mut read: Read<MigrationsRead>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Migration>>> {
    let page = import::list(&mut read.tx, query).await?;
    read.tx.commit().await?;
    Ok(Json(page))
}

/// A migration with its report.
#[utoipa::path(get, path = "/migrations/{id}", tag = "migrations", security(("bearer" = [])),
    params(("id" = MigrationId, Path)), responses((status = 200, body = Migration), CommonErrors))]
pub(crate) async fn get_migration(
    mut read: Read<MigrationsRead>,
    Path(id): Path<MigrationId>,
) -> Result<Json<Migration>> {
    let migration = import::get(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(migration))
}

/// Take a migration back, as if it had never been, while nothing was changed since.
#[utoipa::path(post, path = "/migrations/{id}/rollback", tag = "migrations", security(("bearer" = [])),
    params(("id" = MigrationId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Migration), CommonErrors))]
pub(crate) async fn roll_back_migration(
    Path(id): Path<MigrationId>,
    mut create: Create<MigrationsWrite, Empty>,
) -> Result<Response> {
    let Empty {} = create.body;
    let migration = import::rollback(&mut create.tx, id).await?;
    create.ok(&migration).await
}
