//! Finding out who is at the door, by email and password.

use deserr::Deserr;
use utoipa::ToSchema;

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

/// Checks address and password, outside any transaction because hashing takes a while. The answer and its delay are
/// the same whether the address is unknown or the password wrong.
pub async fn authenticate(db: &Db, actor: Actor, email: &str, password: &Secret) -> Result<UserId> {
    let mut tx = db.system(actor).await?;
    // What is no address belongs to nobody, and takes as long to say so.
    let address = EmailAddress::parse(email).ok();
    let user = sqlx::query!(
        "SELECT id, password_hash FROM users WHERE email = $1",
        address.as_ref().map(EmailAddress::as_str)
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.rollback().await?;

    let (id, hash) = user.map_or((None, None), |user| (Some(UserId(user.id)), user.password_hash));
    let check = crypto::check_password(password.clone(), hash.clone()).await?;
    let (Some(id), PasswordCheck::Right | PasswordCheck::RightButOutdated) = (id, check) else {
        let mut tx = db.system(actor).await?;
        audit::record_system(&mut tx, None, "auth.login_refused", "user", id.map(|id| id.0)).await?;
        tx.commit().await?;
        return Err(Error::Unauthenticated("wrong_credentials"));
    };
    if check == PasswordCheck::RightButOutdated {
        let renewed = crypto::hash_password(password.clone()).await?;
        let mut tx = db.system(actor).await?;
        // Only if it is still the hash that was checked: a password changed meanwhile stays changed.
        sqlx::query!(
            "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
            id.0,
            hash,
            renewed
        )
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
    }
    Ok(id)
}
