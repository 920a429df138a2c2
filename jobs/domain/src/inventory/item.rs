//! One thing that is kept in stock: described, found, changed, removed.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Amount,
    level::{Badge, LotLevel, Today, levels},
    watch,
};
use crate::{
    audit,
    billing::{Cents, Quantity},
    db::TenantTx,
    error::{Error, Invalid, Problem, Result},
    field::{Label, SearchText, Whole},
    ids::ItemId,
    page::{Count, Page, PageQuery},
    text_field,
};

text_field!(
    /// What an item is counted in: 1 to 20 characters.
    UnitName, "boîte", |text| {
        let unit = text.trim();
        let plain = (1..=20).contains(&unit.chars().count()) && !unit.chars().any(char::is_control);
        if plain { Ok(unit.to_owned()) } else {
            let expected = "1 to 20 characters, none of them a control character";
            Err(Problem::new("", "not_a_text", expected).read(text))
        }
    }
);

/// A price, euro cents: up to a million euros.
type Price = Whole<0, 0, 100_000_000>;

/// An item as the practice describes it.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewItem {
    /// What it is.
    pub name: Label,
    /// The supplier's or the practice's own reference, unlike any other item's; imports find items by it.
    #[deserr(default)]
    pub reference: Option<Label>,
    /// What it is counted in.
    pub unit: UnitName,
    /// Whom it is bought from.
    #[deserr(default)]
    pub supplier: Option<Label>,
    /// Where it lies.
    #[deserr(default)]
    pub location: Option<Label>,
    /// Of one unit before tax, euro cents.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, maximum = 100_000_000, example = 650)]
    pub price_cents: Option<Price>,
    /// Below it there is too little: thousandths of the unit. Zero asks for nothing.
    #[deserr(default)]
    #[schema(value_type = u32, maximum = 4_000_000_000_u32, default = 0, example = 5000)]
    pub threshold: Amount,
    /// How much more than the threshold there must be before an alert ends: thousandths of the unit.
    #[deserr(default)]
    #[schema(value_type = u32, maximum = 4_000_000_000_u32, default = 0, example = 1000)]
    pub margin: Amount,
}

/// An item.
#[derive(Debug, Serialize, ToSchema)]
pub struct Item {
    /// Identifier.
    pub id: ItemId,
    /// What it is.
    pub name: String,
    /// Its reference.
    pub reference: Option<String>,
    /// What it is counted in.
    pub unit: String,
    /// Whom it is bought from.
    pub supplier: Option<String>,
    /// Where it lies.
    pub location: Option<String>,
    /// Of one unit before tax, euro cents.
    pub price_cents: Option<Cents>,
    /// Below it there is too little.
    pub threshold: Quantity,
    /// How much more than the threshold ends an alert.
    pub margin: Quantity,
    /// Counts the changes of the description, for `If-Match`; what comes and goes changes nothing in it.
    pub version: i32,
    /// Added at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

/// An item with what there is of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemStock {
    /// The item.
    #[serde(flatten)]
    #[schema(inline)]
    pub item: Item,
    /// How much there is, thousandths of the unit.
    pub quantity: Quantity,
    /// How it stands.
    pub badge: Badge,
    /// Where that much lies, what is to be used first comes first.
    pub lots: Vec<LotLevel>,
}

/// Which items are wanted.
#[derive(Debug, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ItemQuery {
    /// Words of name, reference, supplier or place; accents and case do not matter.
    #[deserr(default)]
    #[param(value_type = Option<String>)]
    pub search: Option<SearchText>,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

fn refused(error: sqlx::Error) -> Error {
    match Error::violated(&error) {
        Some("inventory_items_reference") => {
            Error::conflict("reference_taken", "another item has this reference")
        }
        _ => error.into(),
    }
}

/// Adds an item, of which there is nothing yet.
pub async fn add_item(tx: &mut TenantTx, new: &NewItem) -> Result<ItemStock> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let id = ItemId::new(now);
    sqlx::query!(
        "INSERT INTO inventory_items (tenant_id, id, name, reference, unit, supplier, location, price_cents,
                                      threshold, margin, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        tenant.0,
        id.0,
        new.name.as_str(),
        new.reference.as_ref().map(Label::as_str),
        new.unit.as_str(),
        new.supplier.as_ref().map(Label::as_str),
        new.location.as_ref().map(Label::as_str),
        new.price_cents.map(|price| i64::from(price.get())),
        i64::from(new.threshold.get()),
        i64::from(new.margin.get()),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    audit::record(tx, "inventory.add_item", "inventory_item", id.0).await?;
    get_item(tx, id).await
}

/// One item with what there is of it.
pub async fn get_item(tx: &mut TenantTx, id: ItemId) -> Result<ItemStock> {
    let today = Today::read(tx).await?;
    let row = sqlx::query!(
        r#"SELECT name AS "name!", reference, unit AS "unit!", supplier, location, price_cents AS "price_cents: Cents",
                  threshold AS "threshold!: Quantity", margin AS "margin!: Quantity", version AS "version!",
                  created_at AS "created_at!", updated_at AS "updated_at!", quantity AS "quantity!: Quantity",
                  inventory_badge(quantity, threshold, soonest, $3, $4) AS "badge!: Badge"
           FROM inventory_stock WHERE tenant_id = $1 AND id = $2"#,
        tx.tenant().0,
        id.0,
        today.date,
        today.notice_days,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("item"))?;
    let item = Item {
        id,
        name: row.name,
        reference: row.reference,
        unit: row.unit,
        supplier: row.supplier,
        location: row.location,
        price_cents: row.price_cents,
        threshold: row.threshold,
        margin: row.margin,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(ItemStock { item, quantity: row.quantity, badge: row.badge, lots: levels(tx, id).await? })
}

/// A page of items, by name.
pub async fn list_items(tx: &mut TenantTx, query: &ItemQuery) -> Result<Page<Item>> {
    let (tenant, page) = (tx.tenant(), PageQuery { page: query.page, limit: query.limit });
    let search = query.search.as_ref().map_or("", SearchText::as_str);
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM inventory_items
           WHERE tenant_id = $1 AND deleted_at IS NULL AND ($2 = '' OR holds_words(search, $2))"#,
        tenant.0,
        search,
    )
    .fetch_one(tx.conn())
    .await?;
    let items = sqlx::query_as!(
        Item,
        r#"SELECT id AS "id: ItemId", name, reference, unit, supplier, location, price_cents AS "price_cents: Cents",
                  threshold AS "threshold: Quantity", margin AS "margin: Quantity", version, created_at, updated_at
           FROM inventory_items
           WHERE tenant_id = $1 AND deleted_at IS NULL AND ($2 = '' OR holds_words(search, $2))
           ORDER BY fold(name), id LIMIT $3 OFFSET $4"#,
        tenant.0,
        search,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(items, page, total))
}

/// Describes an item anew; what there is of it stays.
pub async fn update_item(tx: &mut TenantTx, id: ItemId, version: i32, new: &NewItem) -> Result<ItemStock> {
    lock(tx, id).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let changed = sqlx::query!(
        "UPDATE inventory_items
         SET name = $4, reference = $5, unit = $6, supplier = $7, location = $8, price_cents = $9, threshold = $10,
             margin = $11, updated_at = $12, version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL",
        tenant.0,
        id.0,
        version,
        new.name.as_str(),
        new.reference.as_ref().map(Label::as_str),
        new.unit.as_str(),
        new.supplier.as_ref().map(Label::as_str),
        new.location.as_ref().map(Label::as_str),
        new.price_cents.map(|price| i64::from(price.get())),
        i64::from(new.threshold.get()),
        i64::from(new.margin.get()),
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if changed.rows_affected() == 0 {
        return Err(Error::Changed("item"));
    }
    watch::request(tx).await?;
    audit::record(tx, "inventory.update_item", "inventory_item", id.0).await?;
    get_item(tx, id).await
}

/// Removes an item of which there is nothing left; what came and went stays on record.
pub async fn delete_item(tx: &mut TenantTx, id: ItemId) -> Result<()> {
    lock(tx, id).await?;
    if !levels(tx, id).await?.is_empty() {
        return Err(Error::conflict(
            "has_stock",
            "there is some of it left: take it out or correct it first",
        ));
    }
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE inventory_items SET deleted_at = $3, updated_at = $3, version = version + 1
         WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    watch::request(tx).await?;
    audit::record(tx, "inventory.delete_item", "inventory_item", id.0).await
}

/// Holds an item until the transaction ends: of two that move it at once the second sees what the first left.
pub(super) async fn lock(tx: &mut TenantTx, id: ItemId) -> Result<()> {
    sqlx::query!(
        "SELECT id FROM inventory_items WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE",
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .map(drop)
    .ok_or(Error::NotFound("item"))
}
