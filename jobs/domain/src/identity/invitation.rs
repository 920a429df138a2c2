//! Invitations: the mail is a job, and the token exists only in the mail.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use deserr::Deserr;
use permanence_queue::NewJob;
use utoipa::ToSchema;

use super::{
    Password, TokenHashes, Tokens, account_mail::MailStart, jobs::SendInvitation, password::set_password,
};
use crate::{
    audit,
    config::Secret,
    crypto::{self, PasswordCheck},
    db::{Actor, Db, SystemTx, TenantTx},
    error::{Error, Invalid, Problem, Result},
    field::Language,
    ids::{InvitationId, TenantId, UserId},
};

const VALID_FOR: Duration = Duration::days(7);

/// What an invited person answers.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct AcceptInvitation {
    /// The token of the mail.
    #[schema(value_type = String)]
    pub token: Secret,
    /// The password: chosen now, or the present one of a person who works with another tenant already.
    #[schema(value_type = String, format = Password)]
    pub password: Secret,
}

/// What an invitation's mail says.
#[derive(Debug)]
pub struct InvitationDraft {
    /// Where it goes.
    pub email: String,
    /// Whom it greets.
    pub full_name: String,
    /// Who invites.
    pub tenant_name: String,
    /// The tenant's zone, for the date it ends.
    pub zone: Tz,
    /// The language of the mail.
    pub language: Language,
    /// The token for the link.
    pub token: String,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
}

/// What the job that mails an invitation finds.
pub type InvitationStart = MailStart<InvitationDraft>;

/// Adds an invitation and its job.
pub(super) async fn create(tx: &mut TenantTx, user: UserId) -> Result<InvitationId> {
    let now = tx.now();
    let id = InvitationId::new(now);
    sqlx::query!(
        "INSERT INTO invitations (tenant_id, id, user_id, expires_at, created_at) VALUES ($1, $2, $3, $4, $5)",
        tx.tenant().0,
        id.0,
        user.0,
        now + VALID_FOR,
        now,
    )
    .execute(tx.conn())
    .await?;
    tx.enqueue(NewJob::of(&SendInvitation { invitation_id: id })?).await?;
    Ok(id)
}

/// Sends a member a new invitation; the earlier ones end.
pub async fn resend_invitation(tx: &mut TenantTx, user: UserId) -> Result<()> {
    let member = super::get_member(tx, user).await?;
    // The membership is the lock, and comes first wherever both are touched: of two at once the second sees the first's
    // invitation and ends it.
    sqlx::query!(
        "SELECT user_id FROM memberships WHERE tenant_id = $1 AND user_id = $2 FOR UPDATE",
        tx.tenant().0,
        user.0
    )
    .fetch_optional(tx.conn())
    .await?;
    if member.accepted_at.is_some() {
        return Err(Error::conflict("already_accepted", "this member has accepted the invitation"));
    }
    let now = tx.now();
    sqlx::query!(
        "UPDATE invitations SET expires_at = $3
         WHERE tenant_id = $1 AND user_id = $2 AND status <> 'accepted' AND expires_at > $3",
        tx.tenant().0,
        user.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    create(tx, user).await?;
    audit::record(tx, "user.invite", "user", user.0).await
}

/// Notes the intent to send, with a fresh token of which only the hash is kept.
pub async fn begin_invitation(
    tx: &mut TenantTx,
    hashes: &TokenHashes,
    id: InvitationId,
) -> Result<InvitationStart> {
    let now = tx.now();
    let Some(row) = sqlx::query!(
        r#"SELECT i.status, i.expires_at, u.email, m.full_name, t.name AS tenant_name, t.time_zone,
                  t.language AS "language: Language"
           FROM invitations i
           JOIN memberships m ON m.tenant_id = i.tenant_id AND m.user_id = i.user_id
           JOIN users u ON u.id = i.user_id
           JOIN tenants t ON t.id = i.tenant_id
           WHERE i.tenant_id = $1 AND i.id = $2 FOR UPDATE OF i"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    else {
        return Ok(InvitationStart::Settled);
    };
    match row.status.as_str() {
        "sending" => return Ok(InvitationStart::Uncertain),
        "pending" if row.expires_at > now => {}
        _ => return Ok(InvitationStart::Settled),
    }
    let token = crypto::random_token()?;
    sqlx::query!(
        "UPDATE invitations SET status = 'sending', token_hash = $3 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        hashes.invitation(&token)?,
    )
    .execute(tx.conn())
    .await?;
    Ok(InvitationStart::Send(Box::new(InvitationDraft {
        email: row.email,
        full_name: row.full_name,
        tenant_name: row.tenant_name,
        zone: row.time_zone.parse().map_err(|_| Error::internal("a tenant's zone is unknown"))?,
        language: row.language,
        token,
        expires_at: row.expires_at,
    })))
}

/// Notes how the sending ended: `sent`, `pending` (certainly not taken, to be tried again), `failed` or `uncertain`.
pub async fn end_invitation(
    tx: &mut TenantTx,
    id: InvitationId,
    status: &str,
    code: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE invitations SET status = $3, failure_code = $4
         WHERE tenant_id = $1 AND id = $2 AND status = 'sending'",
        tx.tenant().0,
        id.0,
        status,
        code,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Accepts an invitation. A new identity gets its password by it; an existing one must give the one it has, so that
/// whoever reads the mail of another cannot take their account over.
pub async fn accept_invitation(
    tx: &mut SystemTx,
    tokens: &Tokens,
    answer: &AcceptInvitation,
) -> Result<UserId> {
    let hash = tokens.hashes.invitation(answer.token.expose())?;
    let now = tx.now();
    // The membership is locked first, as by whoever removes it: of two answers at once the second finds the invitation
    // accepted.
    sqlx::query!(
        "SELECT m.user_id FROM memberships m JOIN invitations i ON i.tenant_id = m.tenant_id AND i.user_id = m.user_id
         WHERE i.token_hash = $1 FOR UPDATE OF m",
        hash
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = sqlx::query!(
        r#"SELECT i.tenant_id, i.id, i.user_id, u.password_hash
           FROM invitations i JOIN users u ON u.id = i.user_id
           WHERE i.token_hash = $1 AND i.expires_at > $2 AND i.status <> 'accepted' FOR UPDATE OF u, i"#,
        hash,
        now
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::invalid("token", "invalid_token", "the token of an open invitation"))?;
    let user = UserId(row.user_id);
    match row.password_hash {
        None => {
            let chosen = Password::parse(answer.password.expose())
                .map_err(|problem| Invalid(vec![Problem { field: "password".to_owned(), ..problem }]))?;
            set_password(tx, user, chosen.secret()).await?;
        }
        Some(known) => {
            if crypto::check_password(answer.password.clone(), Some(known)).await? == PasswordCheck::Wrong {
                return Err(Error::Unauthenticated("wrong_credentials"));
            }
        }
    }
    sqlx::query!(
        "UPDATE invitations SET status = 'accepted' WHERE tenant_id = $1 AND id = $2",
        row.tenant_id,
        row.id
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "UPDATE memberships SET accepted_at = COALESCE(accepted_at, $3) WHERE tenant_id = $1 AND user_id = $2",
        row.tenant_id,
        user.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    let tenant = Some(TenantId(row.tenant_id));
    audit::record_system(tx, tenant, "user.accept_invitation", "user", Some(user.0)).await?;
    Ok(user)
}

/// Notes that an open invitation was answered with a wrong password, in a transaction of its own.
pub async fn refuse_acceptance(db: &Db, actor: Actor) -> Result<()> {
    let mut tx = db.system(actor).await?;
    audit::record_system(&mut tx, None, "user.accept_refused", "invitation", None).await?;
    tx.commit().await
}
