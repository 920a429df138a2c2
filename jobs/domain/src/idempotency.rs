//! The same POST sent twice has one effect and one answer. The key is claimed, the work done and the answer stored
//! in one transaction: a second request with the key waits for the first and then reads its answer.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    crypto::{self, Sealer},
    db::SystemTx,
    error::{Error, Result},
};

/// How long an answer is kept.
pub const KEPT_FOR: chrono::Duration = chrono::Duration::hours(24);

/// Whose key it is: keys of different callers never meet.
#[derive(Debug, Clone, Copy)]
pub struct Principal {
    /// The caller's tenant; nil before signing in.
    pub tenant: Uuid,
    /// The caller; before signing in a number of whoever is meant.
    pub user: Uuid,
}

/// One keyed request.
#[derive(Debug, Clone)]
pub struct Keyed {
    /// Whose it is.
    pub principal: Principal,
    /// The `Idempotency-Key`.
    pub key: String,
    /// [`fingerprint`] of the request.
    pub fingerprint: Vec<u8>,
    /// How long its answer is given again: [`KEPT_FOR`], or less where the answer ages.
    pub kept_for: chrono::Duration,
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Location` header.
    pub location: Option<String>,
    /// Body bytes.
    pub body: Vec<u8>,
}

/// What tells one request from another without keeping it: bodies may hold passwords.
pub fn fingerprint(sealer_key: &[u8], method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>> {
    crypto::mac(sealer_key, &[b"idempotency", method.as_bytes(), path.as_bytes(), body])
}

/// Claims the key for this transaction. `Some` is the answer that was given before.
pub async fn claim(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    sealer: &Sealer,
    request: &Keyed,
) -> Result<Option<StoredAnswer>> {
    let Principal { tenant, user } = request.principal;
    // A transaction that holds the key and has not ended makes this wait, so at most one does the work.
    let claimed = sqlx::query!(
        "INSERT INTO idempotency_keys (tenant_id, principal_id, key, fingerprint, created_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, principal_id, key) DO UPDATE
         SET fingerprint = excluded.fingerprint, status = NULL, location = NULL, sealed_body = NULL,
             created_at = excluded.created_at
         WHERE idempotency_keys.created_at < $6",
        tenant,
        user,
        request.key,
        request.fingerprint,
        now,
        now - request.kept_for,
    )
    .execute(&mut *conn)
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(None);
    }
    let earlier = sqlx::query!(
        "SELECT fingerprint, status, location, sealed_body FROM idempotency_keys
         WHERE tenant_id = $1 AND principal_id = $2 AND key = $3",
        tenant,
        user,
        request.key,
    )
    .fetch_one(conn)
    .await?;
    if !crypto::same(&earlier.fingerprint, &request.fingerprint) {
        return Err(Error::KeyReused);
    }
    let (Some(status), Some(body)) = (earlier.status, earlier.sealed_body) else {
        return Err(Error::internal("an idempotency key was committed without its answer"));
    };
    Ok(Some(StoredAnswer {
        status: u16::try_from(status).map_err(Error::internal)?,
        location: earlier.location,
        body: sealer.open(&context(request), &body)?,
    }))
}

/// Stores the answer beside its claim, in the same transaction.
pub async fn store(
    conn: &mut PgConnection,
    sealer: &Sealer,
    request: &Keyed,
    answer: &StoredAnswer,
) -> Result<()> {
    let body = sealer.seal(&context(request), &answer.body)?;
    let stored = sqlx::query!(
        "UPDATE idempotency_keys SET status = $4, location = $5, sealed_body = $6
         WHERE tenant_id = $1 AND principal_id = $2 AND key = $3",
        request.principal.tenant,
        request.principal.user,
        request.key,
        i16::try_from(answer.status).map_err(Error::internal)?,
        answer.location,
        body,
    )
    .execute(conn)
    .await?;
    if stored.rows_affected() == 1 { Ok(()) } else { Err(Error::internal("the idempotency claim is gone")) }
}

/// Forgets up to `limit` answers older than [`KEPT_FOR`]; gives how many. Repeat it, in transactions of their own, until
/// it gives fewer.
pub async fn purge(tx: &mut SystemTx, limit: i64) -> Result<u64> {
    let before = tx.now() - KEPT_FOR;
    let gone = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE (tenant_id, principal_id, key) IN
             (SELECT tenant_id, principal_id, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2)",
        before,
        limit,
    )
    .execute(tx.conn())
    .await?;
    Ok(gone.rows_affected())
}

/// Binds a sealed answer to its row: moved to another, it does not open.
fn context(request: &Keyed) -> Vec<u8> {
    [
        request.principal.tenant.as_bytes().as_slice(),
        request.principal.user.as_bytes(),
        request.key.as_bytes(),
    ]
    .concat()
}
