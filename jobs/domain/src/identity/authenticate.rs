//! Finding out who is at the door, by email and password.

use std::net::IpAddr;

use deserr::Deserr;
use utoipa::ToSchema;

use super::{TokenHashes, limit};
use crate::{
    audit,
    config::Secret,
    crypto::{self, PasswordCheck},
    db::{Actor, Db},
    error::{Error, Invalid, Result},
    field::EmailAddress,
    ids::{TenantId, UserId},
};

/// A sign-in.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct SignIn {
    /// The user's address.
    #[schema(example = "assistante@cabinet-lilas.example")]
    pub email: String,
    /// The user's password.
    #[schema(format = Password)]
    #[schema(value_type = String)]
    pub password: Secret,
    /// The tenant to work in; by default the one that the user joined first.
    #[deserr(default)]
    pub tenant_id: Option<TenantId>,
}

/// Somebody at the door.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// Whose request it is.
    pub actor: Actor,
    /// Where it comes from, if that is known.
    pub source: Option<IpAddr>,
    /// What they say.
    pub sign_in: &'a SignIn,
}

/// Who it is, by a password that was theirs a moment ago.
#[derive(Debug, Clone, Copy)]
pub struct Authenticated {
    /// The user.
    pub user: UserId,
    /// Which of their passwords it was.
    pub(super) password_version: i32,
}

/// Checks address and password, outside any transaction because hashing takes a while. The answer and its delay are
/// the same whether the address is unknown or the password wrong, and so is how often it may be tried.
pub async fn authenticate(db: &Db, hashes: &TokenHashes, attempt: &Attempt<'_>) -> Result<Authenticated> {
    let Attempt { actor, source, sign_in: SignIn { email, password, .. } } = attempt;
    let actor = *actor;
    let counted = limit::count(db, actor, hashes, email, *source).await?;
    let mut tx = db.system(actor).await?;
    // What is no address belongs to nobody, and takes as long to say so.
    let address = EmailAddress::parse(email).ok();
    let user = sqlx::query!(
        r#"SELECT id AS "id: UserId", password_hash, password_version FROM users WHERE email = $1"#,
        address.as_ref().map(EmailAddress::as_str)
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.rollback().await?;

    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let check = crypto::check_password(password.clone(), hash.clone()).await?;
    let (Some(user), PasswordCheck::Right | PasswordCheck::RightButOutdated) = (&user, check) else {
        let mut tx = db.system(actor).await?;
        let id = user.map(|user| user.id.0);
        audit::record_system(&mut tx, None, "auth.login_refused", "user", id).await?;
        tx.commit().await?;
        return Err(Error::Unauthenticated("wrong_credentials"));
    };
    let renewed = match check {
        PasswordCheck::RightButOutdated => Some(crypto::hash_password(password.clone()).await?),
        _ => None,
    };
    let mut tx = db.system(actor).await?;
    limit::give_back(&mut tx, counted).await?;
    if let Some(renewed) = renewed {
        // Only if it is still the hash that was checked: a password changed meanwhile stays changed.
        sqlx::query!(
            "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
            user.id.0,
            hash,
            renewed
        )
        .execute(tx.conn())
        .await?;
    }
    tx.commit().await?;
    Ok(Authenticated { user: user.id, password_version: user.password_version })
}
