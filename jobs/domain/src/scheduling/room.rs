//! Consulting rooms.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Resource, refuse_if_booked};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::Label,
    ids::RoomId,
    page::{Page, PageQuery},
};

/// A room as the practice names it.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewRoom {
    /// Its name, unlike any other room's.
    pub name: Label,
}

/// A consulting room.
#[derive(Debug, Serialize, ToSchema)]
pub struct Room {
    /// Identifier.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Added at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

fn refused(error: sqlx::Error) -> Error {
    match Error::violated(&error) {
        Some("rooms_name") => Error::conflict("name_taken", "another room has this name"),
        _ => error.into(),
    }
}

/// Adds a room.
pub async fn add_room(tx: &mut TenantTx, new: &NewRoom) -> Result<Room> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let id = RoomId::new(now);
    sqlx::query!(
        "INSERT INTO rooms (tenant_id, id, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)",
        tenant.0,
        id.0,
        new.name.as_str(),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    audit::record(tx, "room.add", "room", id.0).await?;
    get_room(tx, id).await
}

/// One room.
pub async fn get_room(tx: &mut TenantTx, id: RoomId) -> Result<Room> {
    sqlx::query_as!(
        Room,
        r#"SELECT id AS "id: RoomId", name, version, created_at, updated_at
           FROM rooms WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("room"))
}

/// The rooms, by name.
pub async fn list_rooms(tx: &mut TenantTx, page: PageQuery) -> Result<Page<Room>> {
    let tenant = tx.tenant();
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM rooms WHERE tenant_id = $1 AND deleted_at IS NULL"#,
        tenant.0
    )
    .fetch_one(tx.conn())
    .await?;
    let items = sqlx::query_as!(
        Room,
        r#"SELECT id AS "id: RoomId", name, version, created_at, updated_at
           FROM rooms WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY fold(name), id LIMIT $2 OFFSET $3"#,
        tenant.0,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(items, page, total))
}

/// Renames a room.
pub async fn update_room(tx: &mut TenantTx, id: RoomId, version: i32, new: &NewRoom) -> Result<Room> {
    get_room(tx, id).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let changed = sqlx::query!(
        "UPDATE rooms SET name = $4, updated_at = $5, version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL",
        tenant.0,
        id.0,
        version,
        new.name.as_str(),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if changed.rows_affected() == 0 {
        return Err(Error::Changed("room"));
    }
    audit::record(tx, "room.update", "room", id.0).await?;
    get_room(tx, id).await
}

/// Removes a room that has no coming appointment.
pub async fn delete_room(tx: &mut TenantTx, id: RoomId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    // The lock is the one that booking takes: no appointment can slip in between.
    sqlx::query!(
        "SELECT id FROM rooms WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE",
        tenant.0,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("room"))?;
    refuse_if_booked(tx, Resource::Room(id)).await?;
    sqlx::query!(
        "UPDATE rooms SET deleted_at = $3, updated_at = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "room.delete", "room", id.0).await
}
