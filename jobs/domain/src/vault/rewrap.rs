//! The rotation of the master key: tenants' keys are wrapped anew, content stays as it is.

use std::time::Duration;

use permanence_queue::Job;
use serde::{Deserialize, Serialize};

use super::{Vault, Wrapped};
use crate::{db::SystemTx, error::Result, ids::TenantId};

/// Wraps the tenants' keys under the current master key, where another wraps them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Rewrap {}

impl Job for Rewrap {
    const KIND: &'static str = "vault.rewrap_keys";
    const QUEUE: &'static str = "privacy";
    const TIMEOUT: Duration = Duration::from_mins(30);
}

/// Wraps up to `limit` tenants' keys anew; gives how many.
pub async fn rewrap(tx: &mut SystemTx, vault: &Vault, limit: i64) -> Result<usize> {
    let master = &vault.0;
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant: TenantId", master_id, wrapped FROM tenant_keys WHERE master_id <> $1
           ORDER BY tenant_id LIMIT $2 FOR UPDATE SKIP LOCKED"#,
        master.current(),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let (count, now) = (rows.len(), tx.now());
    for row in rows {
        let old = Wrapped { master_id: row.master_id, bytes: row.wrapped };
        let key = master.unwrap(row.tenant, &old).await?;
        let new = master.wrap(row.tenant, &key).await?;
        sqlx::query!(
            "UPDATE tenant_keys SET master_id = $2, wrapped = $3, rewrapped_at = $4 WHERE tenant_id = $1",
            row.tenant.0,
            new.master_id,
            new.bytes,
            now,
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(count)
}
