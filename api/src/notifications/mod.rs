//! What the caller is told within the application. Each sees their own, whatever their role; no change of another's is
//! lost by marking them, so no version is asked for.

use axum::{Json, extract::State, http::StatusCode};
use permanence_domain::{
    ids::NotificationId,
    notifications::{self, Inbox},
    page::PageQuery,
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Caller, Path, Query},
    state::App,
};

/// What the caller was told, the newest first, and how much of it was not read.
#[utoipa::path(get, path = "/notifications", tag = "notifications", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Inbox), CommonErrors))]
pub(crate) async fn list_notifications(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Inbox>> {
    let (mut tx, _) = caller.open(&app, None).await?;
    let inbox = notifications::inbox(&mut tx, caller.claims.sub, page).await?;
    tx.commit().await?;
    Ok(Json(inbox))
}

/// Mark one as read; twice is the same as once.
#[utoipa::path(put, path = "/notifications/{id}/read", tag = "notifications", security(("bearer" = [])),
    params(("id" = NotificationId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn read_notification(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<NotificationId>,
) -> Result<StatusCode> {
    let (mut tx, _) = caller.open(&app, None).await?;
    notifications::read_notification(&mut tx, caller.claims.sub, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mark all as read.
#[utoipa::path(put, path = "/notifications/read-all", tag = "notifications", security(("bearer" = [])),
    responses((status = 204), CommonErrors))]
pub(crate) async fn read_all_notifications(State(app): State<App>, caller: Caller) -> Result<StatusCode> {
    let (mut tx, _) = caller.open(&app, None).await?;
    notifications::read_all_notifications(&mut tx, caller.claims.sub).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove one for good.
#[utoipa::path(delete, path = "/notifications/{id}", tag = "notifications", security(("bearer" = [])),
    params(("id" = NotificationId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn delete_notification(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<NotificationId>,
) -> Result<StatusCode> {
    let (mut tx, _) = caller.open(&app, None).await?;
    notifications::delete_notification(&mut tx, caller.claims.sub, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
