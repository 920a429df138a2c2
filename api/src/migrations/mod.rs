//! Practices that move in with what their browsers kept. The dump is taken here; what is in it a job finds out.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use permanence_domain::{
    ids::MigrationId,
    import::{self, Migration, MigrationFile, MigrationOptions},
    page::{Page, PageQuery},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Create, Dump, Empty, MigrationsRead, MigrationsWrite, Path, Query, Read, Upload, discard},
    sealed::opened,
    state::App,
};

/// Move a practice in: the body is the dump itself, an object of JSON with an array for each table. A job checks all of it,
/// backs up what there is, and moves all of it in or nothing; its report tells every fault.
#[utoipa::path(post, path = "/migrations", tag = "migrations", security(("bearer" = [])),
    request_body(content = String, content_type = "application/json"),
    params(("Idempotency-Key" = String, Header), MigrationOptions),
    responses((status = 202, body = Migration), CommonErrors))]
pub(crate) async fn request_migration(
    State(app): State<App>,
    Query(options): Query<MigrationOptions>,
    Upload { mut create, .. }: Upload<MigrationsWrite, Dump>,
) -> Result<Response> {
    let dump = create.body.sealed()?;
    let requested = import::request(&mut create.tx, &app.vault, &options, &dump).await;
    match requested {
        Ok(migration) => {
            create.accepted(format!("/api/v1/migrations/{}", migration.migration_id), &migration).await
        }
        Err(error) => {
            discard(&app, &create.body.object).await;
            Err(error.into())
        }
    }
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

/// The dump of a migration as it was handed in, to be saved, while it is kept: for whoever handed it in and for those who read
/// records. Reading it is noted in the audit trail.
#[utoipa::path(get, path = "/migrations/{id}/dump", tag = "migrations", security(("bearer" = [])),
    params(("id" = MigrationId, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/json"), CommonErrors))]
pub(crate) async fn read_migration_dump(
    State(app): State<App>,
    read: Read<MigrationsRead>,
    Path(id): Path<MigrationId>,
) -> Result<Response> {
    read_file(&app, read, id, MigrationFile::Dump, "application/json", "dump.json").await
}

/// What the practice held before a migration, as JSON Lines, to be saved, while it is kept. Reading it is noted in the audit trail.
#[utoipa::path(get, path = "/migrations/{id}/backup", tag = "migrations", security(("bearer" = [])),
    params(("id" = MigrationId, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/jsonl"), CommonErrors))]
pub(crate) async fn read_migration_backup(
    State(app): State<App>,
    read: Read<MigrationsRead>,
    Path(id): Path<MigrationId>,
) -> Result<Response> {
    read_file(&app, read, id, MigrationFile::Backup, "application/jsonl", "backup.jsonl").await
}

async fn read_file(
    app: &App,
    mut read: Read<MigrationsRead>,
    id: MigrationId,
    file: MigrationFile,
    media_type: &'static str,
    name: &str,
) -> Result<Response> {
    let content = import::read_file(&mut read.tx, read.role, &app.vault, id, file).await?;
    read.tx.commit().await?;
    let saved = format!("attachment; filename=\"{id}-{name}\"");
    let headers = [(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, saved)];
    Ok((headers, opened(app, &content.object, &content.key).await?).into_response())
}

/// End the dump and the backup of a migration before their time. One that waits or is at work is given up with them.
#[utoipa::path(delete, path = "/migrations/{id}/files", tag = "migrations", security(("bearer" = [])),
    params(("id" = MigrationId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn end_migration_files(
    mut write: Read<MigrationsWrite>,
    Path(id): Path<MigrationId>,
) -> Result<StatusCode> {
    import::end_files(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
