//! A forgotten password (requirements ID-3): a link by mail, for an hour and once, sets another and ends every session.
//! Asking answers and costs the same whether or not the address is known.

use deserr::Deserr;
use utoipa::ToSchema;

use super::{
    Password, TokenHashes,
    account_mail::{self, AccountMailKind, LINK},
    password::set_password,
};
use crate::{
    audit,
    config::Secret,
    db::SystemTx,
    error::{Error, Invalid, Result},
    field::EmailAddress,
    ids::UserId,
};

/// Mails that one person gets within [`LINK`], however often somebody asks.
const MAILS: i64 = 3;

/// Somebody who forgot their password.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ForgotPassword {
    /// The address that they sign in with.
    pub email: EmailAddress,
}

/// A new password.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ResetPassword {
    /// The token of the mail.
    #[schema(value_type = String)]
    pub token: Secret,
    /// The password chosen now.
    pub password: Password,
}

/// Sends a link to whoever has this address, if anybody who signs in does and has not had enough of them. All of it is
/// done alike where nobody has: the same statements, the same row, the same job.
pub async fn forgot_password(tx: &mut SystemTx, asked: &ForgotPassword) -> Result<()> {
    let now = tx.now();
    let email = asked.email.as_str();
    // Of two at once for one address the second waits, known or not, and then counts the first.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('forgot_password ' || $1, 0))", email)
        .execute(tx.conn())
        .await?;
    let user = sqlx::query_scalar!(
        r#"SELECT u.id AS "id: UserId" FROM users u
           WHERE u.email = $1 AND u.password_hash IS NOT NULL
             AND (SELECT count(*) FROM account_mails m
                  WHERE m.user_id = u.id AND m.kind = 'password_reset' AND m.created_at > $2) < $3"#,
        email,
        now - LINK,
        MAILS,
    )
    .fetch_optional(tx.conn())
    .await?;
    account_mail::create(tx, user, AccountMailKind::PasswordReset).await?;
    audit::record_system(tx, None, "auth.forgot_password", "user", user.map(|user| user.0)).await
}

/// Sets a new password by the token of a mail, which is used up by it, as are all others of the same person. Every session
/// ends, in whichever tenant, and a mail tells the person.
pub async fn reset_password(tx: &mut SystemTx, hashes: &TokenHashes, new: &ResetPassword) -> Result<UserId> {
    let now = tx.now();
    let found = sqlx::query_scalar!(
        r#"SELECT u.id AS "id: UserId" FROM account_mails m JOIN users u ON u.id = m.user_id
           WHERE m.token_hash = $1 AND m.expires_at > $2 AND m.used_at IS NULL FOR UPDATE OF u, m"#,
        hashes.password_reset(new.token.expose())?,
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(user) = found else {
        metrics::counter!("permanence_wrong_tokens_total", "kind" => "password_reset").increment(1);
        return Err(Error::invalid("token", "invalid_token", "the unused token of a mail of the last hour"));
    };
    tx.act_as(user);
    set_password(tx, user, new.password.secret()).await?;
    sqlx::query!(
        "UPDATE account_mails SET used_at = $2 WHERE user_id = $1 AND kind = 'password_reset' AND used_at IS NULL",
        user.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "UPDATE sessions SET revoked_at = $2, revoked_reason = 'password_changed'
         WHERE user_id = $1 AND revoked_at IS NULL",
        user.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    account_mail::create(tx, Some(user), AccountMailKind::PasswordChanged).await?;
    audit::record_system(tx, None, "auth.reset_password", "user", Some(user.0)).await?;
    Ok(user)
}
