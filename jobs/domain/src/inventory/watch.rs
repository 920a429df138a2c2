//! Looks for what is amiss in a practice's stock, and opens one alert for each fall and for each lot. It tells nobody
//! itself: see `tell`.

use chrono::Duration;
use permanence_queue::{NewJob, OnDuplicate, Unique};

use super::{
    jobs::WatchStock,
    level::{Today, in_bulk},
    tell::tell,
};
use crate::{
    billing::Quantity,
    db::{SystemTx, TenantTx},
    error::Result,
    ids::{ItemId, LotId, StockAlertId, TenantId, WatchId},
    notifications::{NotificationKind, content::StockFact},
    tenants::{self, Settings},
};

/// How long the stock must rest before it is looked at: who notes ten movements one after another means their sum.
pub const SETTLING: Duration = Duration::seconds(20);

/// What a look changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// Alerts that were opened because a stock fell below its threshold.
    pub low: usize,
    /// Alerts that were opened because a lot expires soon.
    pub expiring: usize,
    /// Alerts that ended.
    pub cleared: u64,
}

/// What was found amiss.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) id: StockAlertId,
    pub(super) kind: NotificationKind,
    pub(super) item: ItemId,
    pub(super) lot: Option<LotId>,
    pub(super) fact: StockFact,
}

/// Has the stock looked at once it rests.
pub(super) async fn request(tx: &mut TenantTx) -> Result<()> {
    let due = tx.now() + SETTLING;
    let unique = Unique::until_started("stock").on_duplicate(OnDuplicate::Debounce);
    tx.enqueue(NewJob::of(&WatchStock {})?.run_at(due).unique(unique)).await?;
    Ok(())
}

/// Has the stock of every practice looked at that keeps one; gives how many there are. Nothing holds these jobs up, so
/// that a stock that never rests is looked at, too.
pub async fn request_all(tx: &mut SystemTx) -> Result<usize> {
    let tenants = sqlx::query_scalar!(
        r#"SELECT id AS "id: TenantId" FROM tenants t
           WHERE EXISTS (SELECT FROM inventory_items i WHERE i.tenant_id = t.id) ORDER BY id"#
    )
    .fetch_all(tx.conn())
    .await?;
    for tenant in &tenants {
        tx.enqueue(NewJob::of(&WatchStock {})?.tenant(tenant.0)).await?;
    }
    Ok(tenants.len())
}

/// Looks at the practice's stock, ends alerts that hold no more, opens those that are new, and tells whoever wants to hear
/// of them.
pub async fn watch(tx: &mut TenantTx) -> Result<Watched> {
    take_turn(tx).await?;
    let settings = tenants::settings(tx).await?;
    in_bulk(tx).await?;
    let mut watched = Watched { cleared: clear(tx).await?, ..Watched::default() };
    let mut found = fallen(tx).await?;
    watched.low = found.len();
    found.extend(expiring(tx, &settings).await?);
    watched.expiring = found.len() - watched.low;
    if !found.is_empty() {
        let watch = WatchId::new(tx.now());
        open(tx, watch, &found).await?;
        tell(tx, watch, Today::of(tx, &settings).date, &found).await?;
    }
    Ok(watched)
}

/// Waits until no other look at this stock is under way. What is read afterwards holds all that it did.
async fn take_turn(tx: &mut TenantTx) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "INSERT INTO inventory_watches (tenant_id, watched_at) VALUES ($1, $2)
         ON CONFLICT (tenant_id) DO UPDATE SET watched_at = excluded.watched_at",
        tenant.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends the alerts of stocks that are above threshold and margin again, of lots that are used up, and of items that were
/// removed or are no longer watched.
async fn clear(tx: &mut TenantTx) -> Result<u64> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let cleared = sqlx::query!(
        "UPDATE inventory_alerts a SET cleared_at = $2
         WHERE a.tenant_id = $1 AND a.cleared_at IS NULL AND CASE a.kind
             WHEN 'stock_low' THEN NOT EXISTS (
                 SELECT FROM inventory_stock s
                 WHERE s.tenant_id = $1 AND s.id = a.item_id AND s.threshold > 0 AND s.quantity <= s.threshold + s.margin)
             ELSE NOT EXISTS (
                 SELECT FROM inventory_levels l
                 WHERE l.tenant_id = $1 AND l.item_id = a.item_id AND l.lot_id = a.lot_id AND l.quantity > 0)
         END",
        tenant.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(cleared.rows_affected())
}

/// What is below its threshold and has no open alert. What never had a movement never fell.
async fn fallen(tx: &mut TenantTx) -> Result<Vec<Found>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let rows = sqlx::query!(
        r#"SELECT id AS "id!: ItemId", name AS "name!", unit AS "unit!", quantity AS "quantity!: Quantity",
                  threshold AS "threshold!: Quantity"
           FROM inventory_stock s
           WHERE tenant_id = $1 AND moved AND quantity < threshold
             AND NOT EXISTS (SELECT FROM inventory_alerts a
                             WHERE a.tenant_id = $1 AND a.item_id = s.id AND a.kind = 'stock_low'
                               AND a.cleared_at IS NULL)
           ORDER BY fold(name), id"#,
        tenant.0,
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().map(|row| Found {
        id: StockAlertId::new(now),
        kind: NotificationKind::StockLow,
        item: row.id,
        lot: None,
        fact: StockFact {
            name: row.name,
            unit: row.unit,
            quantity: row.quantity,
            threshold: row.threshold,
            lot: None,
            expires_on: None,
        },
    });
    Ok(found.collect())
}

/// The lots in stock that expire within the practice's notice, or have, and of which nobody was told.
async fn expiring(tx: &mut TenantTx, settings: &Settings) -> Result<Vec<Found>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let until = Today::of(tx, settings).notice_until();
    let rows = sqlx::query!(
        r#"SELECT i.id AS "id: ItemId", i.name, i.unit, i.threshold AS "threshold: Quantity",
                  l.quantity AS "quantity!: Quantity", l.lot_id AS "lot_id!: LotId", l.number AS "number!",
                  l.expires_on AS "expires_on!"
           FROM inventory_levels l JOIN inventory_items i ON i.tenant_id = l.tenant_id AND i.id = l.item_id
           WHERE l.tenant_id = $1 AND l.quantity > 0 AND l.expires_on <= $2 AND i.deleted_at IS NULL
             AND NOT EXISTS (SELECT FROM inventory_alerts a WHERE a.tenant_id = $1 AND a.lot_id = l.lot_id)
           ORDER BY l.expires_on, fold(i.name), l.lot_id"#,
        tenant.0,
        until,
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().map(|row| Found {
        id: StockAlertId::new(now),
        kind: NotificationKind::LotExpiring,
        item: row.id,
        lot: Some(row.lot_id),
        fact: StockFact {
            name: row.name,
            unit: row.unit,
            quantity: row.quantity,
            threshold: row.threshold,
            lot: Some(row.number),
            expires_on: Some(row.expires_on),
        },
    });
    Ok(found.collect())
}

/// Keeps what was found. The turn keeps others away; two alerts for one fall would break an index, not pass unseen.
async fn open(tx: &mut TenantTx, watch: WatchId, found: &[Found]) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let ids: Vec<_> = found.iter().map(|found| found.id.0).collect();
    let kinds: Vec<_> = found.iter().map(|found| found.kind.name()).collect();
    let items: Vec<_> = found.iter().map(|found| found.item.0).collect();
    let lots: Vec<_> = found.iter().map(|found| found.lot.map(|lot| lot.0)).collect();
    let quantities: Vec<_> = found.iter().map(|found| found.fact.quantity.0).collect();
    sqlx::query!(
        "INSERT INTO inventory_alerts (tenant_id, id, kind, item_id, lot_id, quantity, watch_id, opened_at)
         SELECT $1, f.id, f.kind, f.item_id, f.lot_id, f.quantity, $2, $3
         FROM unnest($4::uuid[], $5::text[], $6::uuid[], $7::uuid[], $8::bigint[])
              AS f (id, kind, item_id, lot_id, quantity)",
        tenant.0,
        watch.0,
        now,
        &ids,
        &kinds as _,
        &items,
        &lots as _,
        &quantities,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
