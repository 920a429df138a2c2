//! Forgetting what has served its time. The rules are the database's (`forget_audit_entries`), and so is the clock: the one
//! who asks cannot tell it a wrong one.

use uuid::Uuid;

use super::{record_system, seal::Chain};
use crate::{db::SystemTx, error::Result, ids::TenantId};

/// Entries that are removed in one transaction, or those of one seal.
const BATCH: i64 = 10_000;

/// The chains whose first entries may be past their time.
pub async fn due_chains(tx: &mut SystemTx) -> Result<Vec<Chain>> {
    Ok(sqlx::query_as!(
        Chain,
        "SELECT c.tenant_id, c.class FROM audit_chains AS c
         JOIN audit_seals AS s ON s.tenant_id = c.tenant_id AND s.class = c.class AND s.number = c.removed + 1
         WHERE s.until_at + audit_kept(c.class) <= now()
         ORDER BY c.tenant_id, c.class"
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Removes a batch of a chain's entries that are past their time, and notes that in the chain's own trail; gives how many.
/// Refused by the database where there are more or fewer than were sealed.
pub async fn forget_batch(tx: &mut SystemTx, chain: &Chain) -> Result<i64> {
    let gone = sqlx::query_scalar!(
        r#"SELECT forget_audit_entries($1, $2, $3) AS "gone!""#,
        chain.tenant_id,
        chain.class,
        BATCH
    )
    .fetch_one(tx.conn())
    .await?;
    if gone > 0 {
        let tenant = Some(chain.tenant_id).filter(|id: &Uuid| !id.is_nil()).map(TenantId);
        record_system(tx, tenant, "audit.forget", "audit_log", chain.class.as_str()).await?;
    }
    Ok(gone)
}
