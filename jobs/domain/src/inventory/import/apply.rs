//! Makes the staged lines items, lots and movements, in one transaction: all of them or none.

use super::{ImportMode, check::patiently, stage::Stage};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    ids::UserId,
    inventory::{level::in_bulk, watch},
};

/// What an import makes, or would make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Made {
    /// Items that are new.
    pub created: i64,
    /// Items that were known before.
    pub updated: i64,
    /// Movements.
    pub movements: i64,
}

/// Applies the staged lines, of which there must be `lines`; changes nothing of a dry run. The caller commits.
pub async fn apply(
    tx: &mut TenantTx,
    stage: Stage,
    mode: ImportMode,
    dry_run: bool,
    by: Option<UserId>,
    lines: i64,
) -> Result<Made> {
    stage.hold(tx).await?;
    in_bulk(tx).await?;
    patiently(tx).await?;
    let (named, known) = lock(tx, stage, lines).await?;
    if dry_run {
        return Ok(Made { created: named - known, updated: known, movements: 0 });
    }
    update(tx, stage).await?;
    create(tx, stage).await?;
    add_lots(tx, stage).await?;
    let movements = match mode {
        ImportMode::Describe => 0,
        ImportMode::Receive => receive(tx, stage, by).await?,
        ImportMode::Count => count(tx, stage, by).await?,
    };
    watch::request(tx).await?;
    audit::record(tx, "inventory.import", "inventory_import", stage.import.0).await?;
    Ok(Made {
        created: named - known,
        updated: known,
        movements: i64::try_from(movements).unwrap_or(i64::MAX),
    })
}

/// Holds the items that the lines name, in the order of their identifiers; gives how many references there are, and how
/// many of them are known.
async fn lock(tx: &mut TenantTx, stage: Stage, lines: i64) -> Result<(i64, i64)> {
    let staged = sqlx::query!(
        r#"SELECT count(*) AS "lines!", count(DISTINCT key) AS "named!" FROM inventory_import_lines
           WHERE tenant_id = $1 AND import_id = $2 AND run = $3"#,
        tx.tenant().0,
        stage.import.0,
        stage.run,
    )
    .fetch_one(tx.conn())
    .await?;
    if staged.lines != lines {
        // They outlive no crash of the database; the next run stages them anew.
        return Err(Error::conflict("lines_lost", "the staged lines are not those that were read"));
    }
    let known = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM (
               SELECT id FROM inventory_items i
               WHERE tenant_id = $1 AND deleted_at IS NULL
                 AND lower(reference) IN (SELECT key FROM inventory_import_lines
                                          WHERE tenant_id = $1 AND import_id = $2 AND run = $3)
               ORDER BY id FOR NO KEY UPDATE) AS held"#,
        tx.tenant().0,
        stage.import.0,
        stage.run,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((staged.named, known))
}

/// Describes known items anew by the first line of each; what a line leaves blank stays.
async fn update(tx: &mut TenantTx, stage: Stage) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE inventory_items i
         SET name = s.name, unit = COALESCE(s.unit, i.unit), supplier = COALESCE(s.supplier, i.supplier),
             location = COALESCE(s.location, i.location), price_cents = COALESCE(s.price_cents, i.price_cents),
             threshold = COALESCE(s.threshold, i.threshold), updated_at = $4, version = i.version + 1
         FROM (SELECT DISTINCT ON (key) key, name, unit, supplier, location, price_cents, threshold
               FROM inventory_import_lines WHERE tenant_id = $1 AND import_id = $2 AND run = $3
               ORDER BY key, line) AS s
         WHERE i.tenant_id = $1 AND lower(i.reference) = s.key AND i.deleted_at IS NULL
           AND (s.name, COALESCE(s.unit, i.unit), COALESCE(s.supplier, i.supplier), COALESCE(s.location, i.location),
                COALESCE(s.price_cents, i.price_cents), COALESCE(s.threshold, i.threshold))
               IS DISTINCT FROM (i.name, i.unit, i.supplier, i.location, i.price_cents, i.threshold)",
        tenant.0,
        stage.import.0,
        stage.run,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds the items that are new. One that was added by others meanwhile breaks the index of references, and the next run
/// finds it known.
async fn create(tx: &mut TenantTx, stage: Stage) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "INSERT INTO inventory_items (tenant_id, id, name, reference, unit, supplier, location, price_cents, threshold,
                                      margin, created_at, updated_at)
         SELECT DISTINCT ON (s.key) $1, s.item_id, s.name, s.reference, COALESCE(s.unit, 'unité'), s.supplier,
                s.location, s.price_cents, COALESCE(s.threshold, 0), 0, $4, $4
         FROM inventory_import_lines s
         LEFT JOIN inventory_items i ON i.tenant_id = $1 AND lower(i.reference) = s.key AND i.deleted_at IS NULL
         WHERE s.tenant_id = $1 AND s.import_id = $2 AND s.run = $3 AND i.id IS NULL
         ORDER BY s.key, s.line",
        tenant.0,
        stage.import.0,
        stage.run,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn add_lots(tx: &mut TenantTx, stage: Stage) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "INSERT INTO inventory_lots (tenant_id, id, item_id, number, expires_on, created_at)
         SELECT $1, s.lot_id, i.id, s.lot, s.expires_on, $4
         FROM inventory_import_lines s
         JOIN inventory_items i ON i.tenant_id = $1 AND lower(i.reference) = s.key AND i.deleted_at IS NULL
         WHERE s.tenant_id = $1 AND s.import_id = $2 AND s.run = $3 AND s.lot IS NOT NULL
         ON CONFLICT (tenant_id, item_id, number) DO NOTHING",
        tenant.0,
        stage.import.0,
        stage.run,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds what was delivered.
async fn receive(tx: &mut TenantTx, stage: Stage, by: Option<UserId>) -> Result<u64> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let moved = sqlx::query!(
        "INSERT INTO inventory_movements (tenant_id, id, item_id, lot_id, kind, quantity, created_at, created_by)
         SELECT $1, s.movement_id, i.id, l.id, 'receipt', s.quantity, $4, $5
         FROM inventory_import_lines s
         JOIN inventory_items i ON i.tenant_id = $1 AND lower(i.reference) = s.key AND i.deleted_at IS NULL
         LEFT JOIN inventory_lots l ON l.tenant_id = $1 AND l.item_id = i.id AND l.number = s.lot
         WHERE s.tenant_id = $1 AND s.import_id = $2 AND s.run = $3 AND s.quantity > 0",
        tenant.0,
        stage.import.0,
        stage.run,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved.rows_affected())
}

/// Corrects the stock to what was counted, where it differs.
async fn count(tx: &mut TenantTx, stage: Stage, by: Option<UserId>) -> Result<u64> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let moved = sqlx::query!(
        "INSERT INTO inventory_movements (tenant_id, id, item_id, lot_id, kind, quantity, created_at, created_by)
         SELECT $1, s.movement_id, i.id, l.id, 'correction', s.quantity - COALESCE(v.quantity, 0), $4, $5
         FROM inventory_import_lines s
         JOIN inventory_items i ON i.tenant_id = $1 AND lower(i.reference) = s.key AND i.deleted_at IS NULL
         LEFT JOIN inventory_lots l ON l.tenant_id = $1 AND l.item_id = i.id AND l.number = s.lot
         LEFT JOIN inventory_levels v ON v.tenant_id = $1 AND v.item_id = i.id AND v.lot_id IS NOT DISTINCT FROM l.id
         WHERE s.tenant_id = $1 AND s.import_id = $2 AND s.run = $3 AND s.quantity <> COALESCE(v.quantity, 0)",
        tenant.0,
        stage.import.0,
        stage.run,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved.rows_affected())
}
