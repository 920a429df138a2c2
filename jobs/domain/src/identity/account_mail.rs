//! The mails about a person's own account, each sent once by a job; a token exists only in its mail.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use permanence_queue::NewJob;

use super::{TokenHashes, jobs::SendAccountMail};
use crate::{
    crypto,
    db::SystemTx,
    error::{Error, Result},
    field::Language,
    ids::{AccountMailId, UserId},
};

/// What a mail about an account says, and to whom.
#[derive(Debug)]
pub struct AccountMailDraft {
    /// Where it goes.
    pub email: String,
    /// Whom it greets, by the name in the tenant that they joined first.
    pub full_name: String,
    /// That tenant's language.
    pub language: Language,
    /// That tenant's zone.
    pub zone: Tz,
    /// When what it tells of happened.
    pub at: DateTime<Utc>,
    /// The token of the link that sets a password; none where it tells that one was set.
    pub token: Option<String>,
}

/// What the job that mails about an account finds.
pub type AccountMailStart = MailStart<AccountMailDraft>;

/// What a job that sends a mail to somebody who signs in finds.
#[derive(Debug)]
pub enum MailStart<Draft> {
    /// The intent is noted: commit, then send this.
    Send(Box<Draft>),
    /// An earlier attempt may have sent it; a person decides.
    Uncertain,
    /// There is nothing to send, or not any more.
    Settled,
}

/// Adds a mail and its job; without a user it goes nowhere, at the same cost. `expires_at` is the end of the link that
/// sets a password, and none for the notice that one was set.
pub(super) async fn create(
    tx: &mut SystemTx,
    user: Option<UserId>,
    expires_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let now = tx.now();
    let id = AccountMailId::new(now);
    sqlx::query!(
        "INSERT INTO account_mails (id, user_id, kind, expires_at, created_at) VALUES ($1, $2, $3, $4, $5)",
        id.0,
        user.map(|user| user.0),
        if expires_at.is_some() { "password_reset" } else { "password_changed" },
        expires_at,
        now,
    )
    .execute(tx.conn())
    .await?;
    tx.enqueue(NewJob::of(&SendAccountMail { mail_id: id })?).await?;
    Ok(())
}

/// Notes the intent to send, with a fresh token where the mail holds a link, of which only the hash is kept.
pub async fn begin_account_mail(
    tx: &mut SystemTx,
    hashes: &TokenHashes,
    id: AccountMailId,
) -> Result<AccountMailStart> {
    let now = tx.now();
    let Some(row) = sqlx::query!(
        r#"SELECT m.status, m.kind, m.created_at,
                  m.used_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > $2) AS "wanted!", u.email,
                  w.full_name, w.language AS "language: Language", w.time_zone
           FROM account_mails m
           JOIN users u ON u.id = m.user_id
           JOIN LATERAL (
               SELECT s.full_name, t.language, t.time_zone
               FROM memberships s JOIN tenants t ON t.id = s.tenant_id
               WHERE s.user_id = u.id AND s.accepted_at IS NOT NULL ORDER BY s.accepted_at, s.tenant_id LIMIT 1
           ) w ON true
           WHERE m.id = $1 FOR UPDATE OF m"#,
        id.0,
        now,
    )
    .fetch_optional(tx.conn())
    .await?
    else {
        return Ok(AccountMailStart::Settled);
    };
    match row.status.as_str() {
        "sending" => return Ok(AccountMailStart::Uncertain),
        "pending" if row.wanted => {}
        _ => return Ok(AccountMailStart::Settled),
    }
    let token = if row.kind == "password_reset" { Some(crypto::random_token()?) } else { None };
    let hash = token.as_deref().map(|token| hashes.password_reset(token)).transpose()?;
    sqlx::query!("UPDATE account_mails SET status = 'sending', token_hash = $2 WHERE id = $1", id.0, hash)
        .execute(tx.conn())
        .await?;
    Ok(AccountMailStart::Send(Box::new(AccountMailDraft {
        email: row.email,
        full_name: row.full_name,
        language: row.language,
        zone: row.time_zone.parse().map_err(|_| Error::internal("a tenant's zone is unknown"))?,
        at: row.created_at,
        token,
    })))
}

/// Notes how the sending ended: `sent`, `pending` (certainly not taken, to be tried again), `failed` or `uncertain`.
pub async fn end_account_mail(
    tx: &mut SystemTx,
    id: AccountMailId,
    status: &str,
    code: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE account_mails SET status = $2, failure_code = $3 WHERE id = $1 AND status = 'sending'",
        id.0,
        status,
        code,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
