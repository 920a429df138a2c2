//! Digests of requests that are to be answered soon: one mail for each recipient and look, sent once. The intent is committed before the
//! mail leaves.

use super::due::answerers;
use crate::{
    db::TenantTx,
    error::Result,
    field::Language,
    ids::{DigestId, UserId, WatchId},
    notifications::{DigestDraft, DigestStart, content::AccessDigest},
    scheduling::today,
    tenants,
};

/// Notes the intent to send, if the recipient may still answer and something still waits for it.
pub async fn begin_digest(tx: &mut TenantTx, id: DigestId) -> Result<DigestStart<AccessDigest>> {
    let tenant = tx.tenant();
    let Some(row) = sqlx::query!(
        r#"SELECT d.status, d.watch_id AS "watch_id: WatchId", d.user_id AS "user_id: UserId", u.email, m.full_name,
                  t.name AS practice, t.language AS "language: Language"
           FROM access_digests d
           JOIN memberships m ON m.tenant_id = d.tenant_id AND m.user_id = d.user_id
           JOIN users u ON u.id = d.user_id
           JOIN tenants t ON t.id = d.tenant_id
           WHERE d.tenant_id = $1 AND d.id = $2 FOR UPDATE OF d"#,
        tenant.0,
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
    let due_on = sqlx::query_scalar!(
        r#"SELECT o.due_on AS "due_on!" FROM access_alerts a
           JOIN open_access_requests o ON o.tenant_id = a.tenant_id AND o.id = a.access_request_id
           WHERE a.tenant_id = $1 AND a.watch_id = $2 ORDER BY o.due_on"#,
        tenant.0,
        row.watch_id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    if due_on.is_empty() || answerers(tx, Some(row.user_id)).await?.is_empty() {
        settle(tx, id, "void", None).await?;
        return Ok(DigestStart::Settled);
    }
    settle(tx, id, "sending", None).await?;
    let settings = tenants::settings(tx).await?;
    let content = AccessDigest {
        practice_name: row.practice,
        full_name: row.full_name,
        today: today(tx).await?,
        due_on,
        language: row.language,
    };
    Ok(DigestStart::Send(Box::new(DigestDraft { email: row.email, settings, content })))
}

/// Notes how the sending ended: `sent`, `pending` (certainly not taken, to be tried again), `failed` or `uncertain`.
pub async fn end_digest(tx: &mut TenantTx, id: DigestId, status: &str, code: Option<&str>) -> Result<()> {
    settle(tx, id, status, code).await
}

/// Leaves a digest in a status that may follow the one it has.
async fn settle(tx: &mut TenantTx, id: DigestId, status: &str, code: Option<&str>) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE access_digests SET status = $3, failure_code = $4, updated_at = $5
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
