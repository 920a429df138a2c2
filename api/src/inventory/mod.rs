//! What the practice keeps in stock.

pub(crate) mod imports;

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    ids::ItemId,
    inventory::{
        self, Item, ItemQuery, ItemStock, Movement, MovementQuery, NewItem, NewMovement, NewSubscription,
        Overview, OverviewQuery, Subscription,
    },
    page::{Listing, Page},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Change, Create, InventoryRead, InventoryWrite, Path, Query, Read},
    respond::{Versioned, versioned},
};

/// The stock at a glance: what there is of each item, how it stands, and how many stand how.
#[utoipa::path(get, path = "/inventory", tag = "inventory", security(("bearer" = [])), params(OverviewQuery),
    responses((status = 200, body = Overview), CommonErrors))]
pub(crate) async fn get_inventory(
    mut read: Read<InventoryRead>,
    Query(query): Query<OverviewQuery>,
) -> Result<Json<Overview>> {
    let overview = inventory::overview(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(overview))
}

/// Add an item, of which there is nothing yet.
#[utoipa::path(post, path = "/inventory/items", tag = "inventory", security(("bearer" = [])), request_body = NewItem,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = ItemStock), CommonErrors))]
pub(crate) async fn add_item(mut create: Create<InventoryWrite, NewItem>) -> Result<Response> {
    let stock = inventory::add_item(&mut create.tx, &create.body).await?;
    create.created(format!("/api/v1/inventory/items/{}", stock.item.id), &stock).await
}

/// The items, by name.
#[utoipa::path(get, path = "/inventory/items", tag = "inventory", security(("bearer" = [])), params(ItemQuery),
    responses((status = 200, body = Page<Item>), CommonErrors))]
pub(crate) async fn list_items(
    mut read: Read<InventoryRead>,
    Query(query): Query<ItemQuery>,
) -> Result<Json<Page<Item>>> {
    let items = inventory::list_items(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(items))
}

/// One item, with what there is of it lot by lot: what is to be used first comes first.
#[utoipa::path(get, path = "/inventory/items/{id}", tag = "inventory", security(("bearer" = [])),
    params(("id" = ItemId, Path)), responses((status = 200, body = ItemStock), CommonErrors))]
pub(crate) async fn get_item(
    mut read: Read<InventoryRead>,
    Path(id): Path<ItemId>,
) -> Result<Versioned<ItemStock>> {
    let stock = inventory::get_item(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(stock.item.version, stock))
}

/// Describe an item anew; what there is of it stays.
#[utoipa::path(put, path = "/inventory/items/{id}", tag = "inventory", security(("bearer" = [])),
    request_body = NewItem, params(("id" = ItemId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = ItemStock), CommonErrors))]
pub(crate) async fn update_item(
    Path(id): Path<ItemId>,
    mut change: Change<InventoryWrite, NewItem>,
) -> Result<Versioned<ItemStock>> {
    let stock = inventory::update_item(&mut change.tx, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(stock.item.version, stock))
}

/// Remove an item of which there is nothing left.
#[utoipa::path(delete, path = "/inventory/items/{id}", tag = "inventory", security(("bearer" = [])),
    params(("id" = ItemId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn delete_item(
    mut write: Read<InventoryWrite>,
    Path(id): Path<ItemId>,
) -> Result<StatusCode> {
    inventory::delete_item(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Note what came or went of an item; the answer is the item as it stands then.
#[utoipa::path(post, path = "/inventory/items/{id}/movements", tag = "inventory", security(("bearer" = [])),
    request_body = NewMovement, params(("id" = ItemId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = ItemStock), CommonErrors))]
pub(crate) async fn add_movement(
    Path(id): Path<ItemId>,
    mut create: Create<InventoryWrite, NewMovement>,
) -> Result<Response> {
    let stock = inventory::move_stock(&mut create.tx, id, &create.body).await?;
    create.created(format!("/api/v1/inventory/items/{id}/movements"), &stock).await
}

/// What came and went of an item, the newest first.
#[utoipa::path(get, path = "/inventory/items/{id}/movements", tag = "inventory", security(("bearer" = [])),
    params(("id" = ItemId, Path), MovementQuery), responses((status = 200, body = Listing<Movement>), CommonErrors))]
pub(crate) async fn list_movements(
    mut read: Read<InventoryRead>,
    Path(id): Path<ItemId>,
    Query(query): Query<MovementQuery>,
) -> Result<Json<Listing<Movement>>> {
    let movements = inventory::list_movements(&mut read.tx, id, &query).await?;
    read.tx.commit().await?;
    Ok(Json(movements))
}

/// How the caller hears of alerts about the stock.
#[utoipa::path(get, path = "/inventory/subscription", tag = "inventory", security(("bearer" = [])),
    responses((status = 200, body = Subscription), CommonErrors))]
pub(crate) async fn get_subscription(mut read: Read<InventoryRead>) -> Result<Versioned<Subscription>> {
    let subscription = inventory::subscription(&mut read.tx).await?;
    read.tx.commit().await?;
    Ok(versioned(subscription.version, subscription))
}

/// Choose how the caller hears of alerts about the stock.
#[utoipa::path(put, path = "/inventory/subscription", tag = "inventory", security(("bearer" = [])),
    request_body = NewSubscription, params(("If-Match" = String, Header)),
    responses((status = 200, body = Subscription), CommonErrors))]
pub(crate) async fn update_subscription(
    mut change: Change<InventoryRead, NewSubscription>,
) -> Result<Versioned<Subscription>> {
    let subscription = inventory::subscribe(&mut change.tx, change.version, change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(subscription.version, subscription))
}
