//! Forgetting what has ended: sessions with their tokens, invitations, mails about accounts. Each call forgets up to `limit`
//! rows and gives how many: repeat it, in transactions of their own, until it gives fewer.

use chrono::Duration;

use crate::{db::SystemTx, error::Result};

/// How long what has ended is still there, for whoever asks what happened.
const KEPT_FOR: Duration = Duration::days(30);

/// Forgets sessions that ended long ago, with their refresh tokens.
pub async fn purge_sessions(tx: &mut SystemTx, limit: i64) -> Result<u64> {
    let before = tx.now() - KEPT_FOR;
    let gone = sqlx::query!(
        "DELETE FROM sessions WHERE (tenant_id, id) IN
             (SELECT tenant_id, id FROM sessions WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2)",
        before,
        limit,
    )
    .execute(tx.conn())
    .await?;
    Ok(gone.rows_affected())
}

/// Forgets invitations whose time was over long ago, accepted or not; memberships stay.
pub async fn purge_invitations(tx: &mut SystemTx, limit: i64) -> Result<u64> {
    let before = tx.now() - KEPT_FOR;
    let gone = sqlx::query!(
        "DELETE FROM invitations WHERE (tenant_id, id) IN
             (SELECT tenant_id, id FROM invitations WHERE expires_at < $1 LIMIT $2)",
        before,
        limit,
    )
    .execute(tx.conn())
    .await?;
    Ok(gone.rows_affected())
}

/// Forgets mails about accounts from long ago, with the hashes of their tokens.
pub async fn purge_account_mails(tx: &mut SystemTx, limit: i64) -> Result<u64> {
    let before = tx.now() - KEPT_FOR;
    let gone = sqlx::query!(
        "DELETE FROM account_mails WHERE id IN (SELECT id FROM account_mails WHERE created_at < $1 LIMIT $2)",
        before,
        limit,
    )
    .execute(tx.conn())
    .await?;
    Ok(gone.rows_affected())
}
