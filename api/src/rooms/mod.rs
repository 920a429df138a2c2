//! Where patients are seen.

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    ids::RoomId,
    page::{Page, PageQuery},
    scheduling::{self, NewRoom, Room},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Change, Create, Path, PracticeRead, PracticeWrite, Query, Read},
    respond::{Versioned, versioned},
};

/// Add a room.
#[utoipa::path(post, path = "/rooms", tag = "rooms", security(("bearer" = [])), request_body = NewRoom,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Room), CommonErrors))]
pub(crate) async fn add_room(mut create: Create<PracticeWrite, NewRoom>) -> Result<Response> {
    let room = scheduling::add_room(&mut create.tx, &create.body).await?;
    create.created(format!("/api/v1/rooms/{}", room.id), &room).await
}

/// The rooms, by name.
#[utoipa::path(get, path = "/rooms", tag = "rooms", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Room>), CommonErrors))]
pub(crate) async fn list_rooms(
    mut read: Read<PracticeRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Room>>> {
    let rooms = scheduling::list_rooms(&mut read.tx, page).await?;
    read.tx.commit().await?;
    Ok(Json(rooms))
}

/// One room.
#[utoipa::path(get, path = "/rooms/{id}", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    responses((status = 200, body = Room), CommonErrors))]
pub(crate) async fn get_room(
    mut read: Read<PracticeRead>,
    Path(id): Path<RoomId>,
) -> Result<Versioned<Room>> {
    let room = scheduling::get_room(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(room.version, room))
}

/// Replace what is known of a room.
#[utoipa::path(put, path = "/rooms/{id}", tag = "rooms", security(("bearer" = [])), request_body = NewRoom,
    params(("id" = RoomId, Path), ("If-Match" = String, Header)), responses((status = 200, body = Room), CommonErrors))]
pub(crate) async fn update_room(
    Path(id): Path<RoomId>,
    mut change: Change<PracticeWrite, NewRoom>,
) -> Result<Versioned<Room>> {
    let room = scheduling::update_room(&mut change.tx, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(room.version, room))
}

/// Remove a room that no coming appointment needs.
#[utoipa::path(delete, path = "/rooms/{id}", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    responses((status = 204), CommonErrors))]
pub(crate) async fn delete_room(
    mut write: Read<PracticeWrite>,
    Path(id): Path<RoomId>,
) -> Result<StatusCode> {
    scheduling::delete_room(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
