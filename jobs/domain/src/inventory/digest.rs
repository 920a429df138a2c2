//! Digests: one mail for each recipient and look at the stock, sent once. The intent is committed before the mail leaves.

use chrono::NaiveDate;

use super::{
    level::{Today, in_bulk},
    subscription::subscribers,
};
use crate::{
    billing::Quantity,
    db::TenantTx,
    error::Result,
    field::Language,
    ids::{DigestId, UserId, WatchId},
    notifications::{
        DigestDraft, DigestStart,
        content::{StockDigest, StockFact},
    },
    tenants::{self, Settings},
};

/// Notes the intent to send, if the recipient still wants it and there still is something to tell.
pub async fn begin_digest(tx: &mut TenantTx, id: DigestId) -> Result<DigestStart<StockDigest>> {
    let Some(row) = sqlx::query!(
        r#"SELECT d.status, d.watch_id AS "watch_id: WatchId", d.user_id AS "user_id: UserId", u.email, m.full_name,
                  t.name AS practice, t.language AS "language: Language"
           FROM inventory_digests d
           JOIN memberships m ON m.tenant_id = d.tenant_id AND m.user_id = d.user_id
           JOIN users u ON u.id = d.user_id
           JOIN tenants t ON t.id = d.tenant_id
           WHERE d.tenant_id = $1 AND d.id = $2 FOR UPDATE OF d"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    else {
        return Ok(DigestStart::Settled);
    };
    match row.status.as_str() {
        "sending" => return Ok(DigestStart::Uncertain),
        "pending" => {}
        _ => return Ok(DigestStart::Settled),
    }
    let wanted = subscribers(tx, Some(row.user_id)).await?.iter().any(|subscriber| subscriber.how.email);
    let facts = if wanted { facts(tx, row.watch_id).await? } else { Vec::new() };
    if facts.is_empty() {
        settle(tx, id, "void", None).await?;
        return Ok(DigestStart::Settled);
    }
    settle(tx, id, "sending", None).await?;
    let settings = tenants::settings(tx).await?;
    let content = StockDigest {
        practice_name: row.practice,
        full_name: row.full_name,
        today: today(tx, &settings),
        facts,
        language: row.language,
    };
    Ok(DigestStart::Send(Box::new(DigestDraft { email: row.email, settings, content })))
}

fn today(tx: &TenantTx, settings: &Settings) -> NaiveDate {
    Today::of(tx, settings).date
}

/// What a look found and still holds, as it stands now.
async fn facts(tx: &mut TenantTx, watch: WatchId) -> Result<Vec<StockFact>> {
    in_bulk(tx).await?;
    Ok(sqlx::query_as!(
        StockFact,
        r#"SELECT s.name AS "name!", s.unit AS "unit!", COALESCE(l.quantity, s.quantity) AS "quantity!: Quantity",
                  s.threshold AS "threshold!: Quantity", l.number AS "lot?", l.expires_on AS "expires_on?"
           FROM inventory_alerts a
           JOIN inventory_stock s ON s.tenant_id = a.tenant_id AND s.id = a.item_id
           LEFT JOIN inventory_levels l ON l.tenant_id = a.tenant_id AND l.item_id = a.item_id AND l.lot_id = a.lot_id
           WHERE a.tenant_id = $1 AND a.watch_id = $2 AND a.cleared_at IS NULL
           ORDER BY a.kind DESC, l.expires_on, fold(s.name), a.id"#,
        tx.tenant().0,
        watch.0,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Notes how the sending ended: `sent`, `pending` (certainly not taken, to be tried again), `failed` or `uncertain`.
pub async fn end_digest(tx: &mut TenantTx, id: DigestId, status: &str, code: Option<&str>) -> Result<()> {
    settle(tx, id, status, code).await
}

/// Leaves a digest in a status that may follow the one it has.
async fn settle(tx: &mut TenantTx, id: DigestId, status: &str, code: Option<&str>) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE inventory_digests SET status = $3, failure_code = $4, updated_at = $5
         WHERE tenant_id = $1 AND id = $2
           AND status = CASE WHEN $3 IN ('sending', 'void') THEN 'pending' ELSE 'sending' END",
        tenant.0,
        id.0,
        status,
        code,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
