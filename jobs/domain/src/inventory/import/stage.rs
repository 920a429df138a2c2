//! Where the lines of a file wait until all of it was read. Whoever was overtaken by another run stages nothing.

use super::line::Line;
use crate::{
    db::TenantTx,
    error::{Error, Result},
    ids::{ImportId, ItemId, LotId, MovementId},
};

/// The lines of one run of an import.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// The import.
    pub import: ImportId,
    /// The run.
    pub run: i32,
}

impl Stage {
    /// Keeps other runs out until the transaction ends; an error where another has begun or the import has ended.
    pub(super) async fn hold(self, tx: &mut TenantTx) -> Result<()> {
        let held = sqlx::query!(
            "SELECT run FROM inventory_imports
             WHERE tenant_id = $1 AND id = $2 AND run = $3 AND status = 'waiting' FOR NO KEY UPDATE",
            tx.tenant().0,
            self.import.0,
            self.run,
        )
        .fetch_optional(tx.conn())
        .await?;
        held.map(drop).ok_or_else(|| Error::conflict("overtaken", "another run of this import has begun"))
    }

    /// Removes the lines of this run and of earlier ones.
    pub(super) async fn clear(self, tx: &mut TenantTx) -> Result<()> {
        sqlx::query!(
            "DELETE FROM inventory_import_lines WHERE tenant_id = $1 AND import_id = $2",
            tx.tenant().0,
            self.import.0,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}

/// Keeps lines, with the identifiers that what is made of them will have.
pub async fn stage(tx: &mut TenantTx, stage: Stage, lines: &[Line]) -> Result<()> {
    stage.hold(tx).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    macro_rules! all {
        ($each:expr) => {
            &lines.iter().map($each).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "INSERT INTO inventory_import_lines (tenant_id, import_id, run, line, item_id, lot_id, movement_id, reference,
                                             name, unit, supplier, location, price_cents, threshold, quantity, lot,
                                             expires_on)
         SELECT $1, $2, $3, l.* FROM unnest($4::bigint[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
             $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[],
             $17::date[]) AS l",
        tenant.0,
        stage.import.0,
        stage.run,
        all!(|line| line.number),
        all!(|_| ItemId::new(now).0),
        all!(|_| LotId::new(now).0),
        all!(|_| MovementId::new(now).0),
        all!(|line| line.reference.as_str()) as _,
        all!(|line| line.name.as_str()) as _,
        all!(|line| line.unit.as_deref()) as _,
        all!(|line| line.supplier.as_deref()) as _,
        all!(|line| line.location.as_deref()) as _,
        all!(|line| line.price_cents) as _,
        all!(|line| line.threshold) as _,
        all!(|line| line.quantity) as _,
        all!(|line| line.lot.as_deref()) as _,
        all!(|line| line.expires_on) as _,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
