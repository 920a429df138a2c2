//! What comes and goes. A movement is written once and never changed; a mistake is mended by another.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Amount, ItemStock, Portion, get_item,
    item::lock,
    level::{LotLevel, Today, levels, pick},
    watch,
};
use crate::{
    audit,
    billing::Quantity,
    db::TenantTx,
    error::{Error, Invalid, Problem, Problems, Result},
    field::{Day, Label},
    ids::{AppointmentId, ItemId, LotId, MovementId, UserId},
    page::{Count, Listing, PageQuery, one_way},
    tenants, text_field,
};

text_field!(
    /// Why something came or went: 1 to 200 characters.
    Reason, "Livraison de mars", |text| {
        let reason = text.trim();
        let plain = (1..=200).contains(&reason.chars().count()) && !reason.chars().any(char::is_control);
        if plain { Ok(reason.to_owned()) } else {
            let expected = "1 to 200 characters, none of them a control character";
            Err(Problem::new("", "not_a_text", expected).read(text))
        }
    }
);

/// Why the stock of an item changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum MovementKind {
    /// It was delivered.
    Receipt,
    /// It was used.
    Use,
    /// It broke, expired or was lost.
    Loss,
    /// It was counted, and what was found is what there is.
    Correction,
}

/// What came or went.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewMovement {
    /// Why.
    pub kind: MovementKind,
    /// How much came or went, thousandths of the unit; not of a correction.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 4_000_000_000_u32, example = 1500)]
    pub quantity: Option<Portion>,
    /// How much was found, thousandths of the unit; of a correction alone.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 4_000_000_000_u32, example = 12000)]
    pub counted: Option<Amount>,
    /// The number of the lot. A receipt makes it known; without one, what is used or lost is taken from the lot that
    /// expires first, and what comes or is counted lies in no lot.
    #[deserr(default)]
    pub lot: Option<Label>,
    /// The last day on which the lot may be used; of a receipt with a lot alone.
    #[deserr(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub expires_on: Option<Day>,
    /// Why, for colleagues.
    #[deserr(default)]
    pub reason: Option<Reason>,
    /// The appointment that it was used for.
    #[deserr(default)]
    pub appointment_id: Option<AppointmentId>,
}

/// What came or went, as it is on record.
#[derive(Debug, Serialize, ToSchema)]
pub struct Movement {
    /// Identifier.
    pub id: MovementId,
    /// Why.
    pub kind: MovementKind,
    /// By how much the stock changed, thousandths of the unit: negative for what went.
    pub quantity: Quantity,
    /// The number of the lot; `null` for what lies in no lot.
    pub lot: Option<String>,
    /// Why, for colleagues.
    pub reason: Option<String>,
    /// The appointment that it was used for.
    pub appointment_id: Option<AppointmentId>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The member who noted it; `null` where a job or nobody known did.
    pub created_by: Option<UserId>,
}

impl NewMovement {
    /// The rules that span fields.
    fn check(&self) -> Result<()> {
        let mut problems = Problems::default();
        let needed = |field, expected| Problem::new(field, "missing", expected);
        let foreign = |field, expected| Problem::new(field, "not_for_kind", expected);
        if self.kind == MovementKind::Correction {
            if self.quantity.is_some() {
                problems.push(foreign("quantity", "`counted` instead: how much was found"));
            }
            if self.counted.is_none() {
                problems.push(needed("counted", "how much was found"));
            }
        } else {
            if self.quantity.is_none() {
                problems.push(needed("quantity", "how much came or went"));
            }
            if self.counted.is_some() {
                problems.push(foreign("counted", "nothing: it belongs to a correction"));
            }
        }
        if self.expires_on.is_some() && self.kind != MovementKind::Receipt {
            problems.push(foreign("expires_on", "nothing: it belongs to a receipt"));
        } else if self.expires_on.is_some() && self.lot.is_none() {
            problems.push(Problem::new(
                "lot",
                "lot_needed",
                "the number of the lot that expires on that day",
            ));
        }
        problems.finish()
    }
}

/// Notes what came or went, and gives the item as it stands then. What is used or lost must be there, unless the
/// practice allows its stock to go below zero.
pub async fn move_stock(tx: &mut TenantTx, item: ItemId, new: &NewMovement) -> Result<ItemStock> {
    new.check()?;
    // From here on nobody else moves this item, so that what is read stays true until the commit.
    lock(tx, item).await?;
    refuse_unknown_appointment(tx, new.appointment_id).await?;
    let quantity = new.quantity.map_or(0, |quantity| i64::from(quantity.get()));
    let parts = match new.kind {
        MovementKind::Receipt => vec![(receiving_lot(tx, item, new).await?, quantity)],
        MovementKind::Use | MovementKind::Loss => taken(tx, item, new, quantity).await?,
        MovementKind::Correction => {
            let lot = known_lot(tx, item, new.lot.as_ref()).await?;
            let counted = new.counted.map_or(0, |counted| i64::from(counted.get()));
            vec![(lot, counted - in_lot(&levels(tx, item).await?, lot))]
        }
    };
    record(tx, item, new, &parts).await?;
    watch::request(tx).await?;
    audit::record(tx, "inventory.move", "inventory_item", item.0).await?;
    get_item(tx, item).await
}

async fn record(
    tx: &mut TenantTx,
    item: ItemId,
    new: &NewMovement,
    parts: &[(Option<LotId>, i64)],
) -> Result<()> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor());
    for (lot, quantity) in parts {
        sqlx::query!(
            "INSERT INTO inventory_movements (tenant_id, id, item_id, lot_id, kind, quantity, reason, appointment_id,
                                              created_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            tenant.0,
            MovementId::new(now).0,
            item.0,
            lot.map(|lot| lot.0),
            new.kind as MovementKind,
            quantity,
            new.reason.as_ref().map(Reason::as_str),
            new.appointment_id.map(|appointment| appointment.0),
            now,
            actor.user.map(|user| user.0),
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

async fn refuse_unknown_appointment(tx: &mut TenantTx, appointment: Option<AppointmentId>) -> Result<()> {
    let Some(appointment) = appointment else { return Ok(()) };
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM appointments WHERE tenant_id = $1 AND id = $2) AS "known!""#,
        tx.tenant().0,
        appointment.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let expected = "an appointment of this practice";
    if known { Ok(()) } else { Err(Error::invalid("appointment_id", "unknown_appointment", expected)) }
}

fn in_lot(levels: &[LotLevel], lot: Option<LotId>) -> i64 {
    levels.iter().find(|level| level.id == lot).map_or(0, |level| level.quantity.0)
}

async fn known_lot(tx: &mut TenantTx, item: ItemId, number: Option<&Label>) -> Result<Option<LotId>> {
    let Some(number) = number else { return Ok(None) };
    let lot = sqlx::query_scalar!(
        r#"SELECT id AS "id: LotId" FROM inventory_lots WHERE tenant_id = $1 AND item_id = $2 AND number = $3"#,
        tx.tenant().0,
        item.0,
        number.as_str(),
    )
    .fetch_optional(tx.conn())
    .await?;
    lot.map(Some).ok_or_else(|| Error::invalid("lot", "unknown_lot", "the number of a lot of this item"))
}

/// The lot that something comes in, made known if it is not.
async fn receiving_lot(tx: &mut TenantTx, item: ItemId, new: &NewMovement) -> Result<Option<LotId>> {
    let Some(number) = &new.lot else { return Ok(None) };
    let (tenant, now) = (tx.tenant(), tx.now());
    let expires_on = new.expires_on.map(|day| day.0);
    sqlx::query!(
        "INSERT INTO inventory_lots (tenant_id, id, item_id, number, expires_on, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, item_id, number) DO NOTHING",
        tenant.0,
        LotId::new(now).0,
        item.0,
        number.as_str(),
        expires_on,
        now,
    )
    .execute(tx.conn())
    .await?;
    let lot = sqlx::query!(
        r#"SELECT id AS "id: LotId", expires_on FROM inventory_lots
           WHERE tenant_id = $1 AND item_id = $2 AND number = $3"#,
        tenant.0,
        item.0,
        number.as_str(),
    )
    .fetch_one(tx.conn())
    .await?;
    match (expires_on, lot.expires_on) {
        (Some(day), known) if known != Some(day) => {
            let known = known.map_or_else(|| "never".to_owned(), |day| format!("on {day}"));
            Err(Error::conflict("other_expiry", format!("this lot is known to expire {known}")))
        }
        _ => Ok(Some(lot.id)),
    }
}

/// The lots that something is taken from.
async fn taken(
    tx: &mut TenantTx,
    item: ItemId,
    new: &NewMovement,
    wanted: i64,
) -> Result<Vec<(Option<LotId>, i64)>> {
    let settings = tenants::settings(tx).await?;
    let named = known_lot(tx, item, new.lot.as_ref()).await?;
    let levels = levels(tx, item).await?;
    let (mut parts, missing) = if let Some(lot) = named {
        let there = in_lot(&levels, Some(lot)).max(0);
        (vec![(Some(lot), wanted.min(there))], (wanted - there).max(0))
    } else {
        let today = (new.kind == MovementKind::Use).then(|| Today::of(tx, &settings).date);
        pick(&levels, wanted, today)
    };
    if missing > 0 && !settings.allow_negative_stock {
        let there = wanted - missing;
        let detail = format!("there are {there} thousandths of it that can be taken");
        return Err(Error::conflict("not_enough_stock", detail));
    }
    // What is taken beyond what is there is owed by the lot that was named, or by none.
    match parts.iter_mut().find(|(lot, _)| *lot == named) {
        Some(part) => part.1 += missing,
        None if missing > 0 => parts.push((named, missing)),
        None => {}
    }
    Ok(parts.into_iter().map(|(lot, quantity)| (lot, -quantity)).collect())
}

/// Which movements of an item.
#[derive(Debug, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct MovementQuery {
    /// Only those after this one in the list: `next` of the page before.
    #[deserr(default)]
    pub before: Option<MovementId>,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// What came and went of an item, the newest first.
pub async fn list_movements(
    tx: &mut TenantTx,
    item: ItemId,
    query: &MovementQuery,
) -> Result<Listing<Movement>> {
    let page = PageQuery { page: query.page, limit: query.limit };
    let before = one_way(query.before, page)?;
    get_item(tx, item).await?;
    let (before_at, total) = match before {
        Some(movement) => (Some(moved_at(tx, item, movement).await?), None),
        None => (None, Some(count(tx, item).await?)),
    };
    let tenant = tx.tenant();
    // Without an `OR`, so that the comparison bounds the range of `inventory_movements_by_time`, whatever plan is kept.
    let items = sqlx::query_as!(
        Movement,
        r#"SELECT m.id AS "id: MovementId", m.kind AS "kind: MovementKind", m.quantity AS "quantity: Quantity",
                  l.number AS "lot?", m.reason, m.appointment_id AS "appointment_id: AppointmentId", m.created_at,
                  m.created_by AS "created_by: UserId"
           FROM inventory_movements m
           LEFT JOIN inventory_lots l ON l.tenant_id = m.tenant_id AND l.item_id = m.item_id AND l.id = m.lot_id
           WHERE m.tenant_id = $1 AND m.item_id = $2
             AND (m.created_at, m.id) < (COALESCE($5, 'infinity'::timestamptz),
                                         COALESCE($6, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
           ORDER BY m.created_at DESC, m.id DESC LIMIT $3 OFFSET $4"#,
        tenant.0,
        item.0,
        page.limit(),
        page.offset(),
        before_at,
        before.map(|movement| movement.0),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Listing::new(items, page, total, |movement| movement.id.0))
}

async fn moved_at(tx: &mut TenantTx, item: ItemId, movement: MovementId) -> Result<DateTime<Utc>> {
    let tenant = tx.tenant();
    sqlx::query_scalar!(
        "SELECT created_at FROM inventory_movements WHERE tenant_id = $1 AND item_id = $2 AND id = $3",
        tenant.0,
        item.0,
        movement.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("movement"))
}

async fn count(tx: &mut TenantTx, item: ItemId) -> Result<i64> {
    let tenant = tx.tenant();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM inventory_movements WHERE tenant_id = $1 AND item_id = $2"#,
        tenant.0,
        item.0,
    )
    .fetch_one(tx.conn())
    .await?)
}
