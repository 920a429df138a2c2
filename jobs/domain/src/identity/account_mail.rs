//! The mails about a person's own account, each sent once by a job; a token exists only in its mail.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use permanence_queue::NewJob;

use super::{TokenHashes, jobs::SendAccountMail};
use crate::{
    crypto,
    db::SystemTx,
    error::{Error, Result},
    field::Language,
    ids::{AccountMailId, UserId},
    privacy::{certificate_link, deletion_due},
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
    /// What it is about.
    pub about: AccountMailAbout,
}

/// What a mail about an account tells.
pub enum AccountMailAbout {
    /// How to set another password.
    PasswordReset {
        /// The token of the link.
        token: String,
    },
    /// That another password was set.
    PasswordChanged {
        /// When.
        at: DateTime<Utc>,
    },
    /// That the account will be erased.
    DeletionRequested {
        /// From when on; until then it can be taken back.
        due_at: DateTime<Utc>,
    },
    /// That it will not.
    DeletionCancelled,
    /// That its day has come and something is in the way.
    DeletionHeld,
    /// That it is erased: the last mail.
    AccountErased {
        /// The token of the link to the certificate.
        token: String,
    },
}

/// Names no token.
impl std::fmt::Debug for AccountMailAbout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountMailAbout(…)")
    }
}

/// Which mail about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum AccountMailKind {
    /// The link that sets another password.
    PasswordReset,
    /// The notice that one was set.
    PasswordChanged,
    /// The erasure was asked for.
    DeletionRequested,
    /// It was taken back.
    DeletionCancelled,
    /// It waits for something.
    DeletionHeld,
    /// It has begun: the last mail.
    AccountErased,
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

/// How long the link that sets a password works.
pub(super) const LINK: Duration = Duration::hours(1);

/// Adds a mail and its job; without a user it goes nowhere, at the same cost.
pub(crate) async fn create(tx: &mut SystemTx, user: Option<UserId>, kind: AccountMailKind) -> Result<()> {
    let now = tx.now();
    let id = AccountMailId::new(now);
    let expires_at = (kind == AccountMailKind::PasswordReset).then(|| now + LINK);
    sqlx::query!(
        "INSERT INTO account_mails (id, user_id, kind, expires_at, created_at) VALUES ($1, $2, $3, $4, $5)",
        id.0,
        user.map(|user| user.0),
        kind as AccountMailKind,
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
        r#"SELECT m.status, m.kind AS "kind: AccountMailKind", m.created_at, m.user_id AS "user!: UserId",
                  m.used_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > $2) AS "wanted!", u.email,
                  w.full_name AS "full_name!", w.language AS "language!: Language", w.time_zone AS "time_zone!"
           FROM account_mails m
           JOIN users u ON u.id = m.user_id
           JOIN LATERAL (
               SELECT 0 AS rank, s.accepted_at AS at, s.tenant_id, s.full_name, t.language, t.time_zone
               FROM memberships s JOIN tenants t ON t.id = s.tenant_id
               WHERE s.user_id = u.id AND s.accepted_at IS NOT NULL
               -- Somebody who is no member any more is told that their account is erased all the same.
               UNION ALL
               SELECT 1, e.requested_at, e.home_id, u.email, t.language, t.time_zone
               FROM account_erasures e JOIN tenants t ON t.id = e.home_id
               WHERE e.user_id = u.id AND e.status IN ('pending', 'running')
               ORDER BY 1, 2, 3 LIMIT 1
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
    let Some(about) = about(tx, hashes, row.kind, row.user, row.created_at).await? else {
        end(tx, id, "pending", "failed", Some("taken_back")).await?;
        return Ok(AccountMailStart::Settled);
    };
    let hash = match &about {
        AccountMailAbout::PasswordReset { token } => Some(hashes.password_reset(token)?),
        _ => None,
    };
    sqlx::query!("UPDATE account_mails SET status = 'sending', token_hash = $2 WHERE id = $1", id.0, hash)
        .execute(tx.conn())
        .await?;
    Ok(AccountMailStart::Send(Box::new(AccountMailDraft {
        email: row.email,
        full_name: row.full_name,
        language: row.language,
        zone: row.time_zone.parse().map_err(|_| Error::internal("a tenant's zone is unknown"))?,
        about,
    })))
}

/// What a mail of this kind tells now; none where that is over.
async fn about(
    tx: &mut SystemTx,
    hashes: &TokenHashes,
    kind: AccountMailKind,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<Option<AccountMailAbout>> {
    Ok(match kind {
        AccountMailKind::PasswordReset => {
            Some(AccountMailAbout::PasswordReset { token: crypto::random_token()? })
        }
        AccountMailKind::PasswordChanged => Some(AccountMailAbout::PasswordChanged { at }),
        AccountMailKind::DeletionRequested => {
            let due = deletion_due(tx, user).await?;
            due.map(|due_at| AccountMailAbout::DeletionRequested { due_at })
        }
        AccountMailKind::DeletionCancelled => Some(AccountMailAbout::DeletionCancelled),
        AccountMailKind::DeletionHeld => {
            deletion_due(tx, user).await?.map(|_| AccountMailAbout::DeletionHeld)
        }
        AccountMailKind::AccountErased => {
            let token = certificate_link(tx, hashes, user).await?;
            Some(AccountMailAbout::AccountErased { token })
        }
    })
}

/// Notes how the sending ended: `sent`, `pending` (certainly not taken, to be tried again), `failed` or `uncertain`.
pub async fn end_account_mail(
    tx: &mut SystemTx,
    id: AccountMailId,
    status: &str,
    code: Option<&str>,
) -> Result<()> {
    end(tx, id, "sending", status, code).await
}

async fn end(tx: &mut SystemTx, id: AccountMailId, from: &str, to: &str, code: Option<&str>) -> Result<()> {
    sqlx::query!(
        "UPDATE account_mails SET status = $3, failure_code = $4 WHERE id = $1 AND status = $2",
        id.0,
        from,
        to,
        code,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
