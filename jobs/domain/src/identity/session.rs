//! Sessions: opened by signing in, kept by refreshing, ended by logging out or by a stolen token.

use chrono::{DateTime, Duration, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Authenticated, Claims, Permissions, Role, Tokens};
use crate::{
    audit,
    config::Secret,
    crypto,
    db::{SystemTx, TenantTx},
    error::{Error, Invalid, Result},
    ids::{SessionId, TenantId, UserId},
    privacy::deletion_due,
};

/// Within this time an old refresh token is taken for a second tab's, not for a thief's.
pub const PARALLEL_TABS: Duration = Duration::seconds(10);

/// One of the tenants a user may work in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tenancy {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// The user's role there.
    pub role: Role,
}

/// The answer to a sign-in or a refresh.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedIn {
    /// JWT for the `Authorization: Bearer` header.
    pub access_token: String,
    /// Single-use token for `/auth/refresh`.
    pub refresh_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Life of the access token, seconds.
    pub expires_in: u64,
    /// The signed-in user.
    pub user_id: UserId,
    /// The tenant that the tokens are for.
    pub tenant_id: TenantId,
    /// The user's role in it.
    pub role: Role,
    /// What the role may do.
    pub permissions: Permissions,
    /// All tenants the user may work in.
    pub tenants: Vec<Tenancy>,
    /// When the user's account will be erased, if they have asked for that; until then it can be taken back.
    pub deletion_due_at: Option<DateTime<Utc>>,
}

/// A request to renew a session.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct RefreshRequest {
    /// The newest refresh token of the session.
    #[schema(value_type = String)]
    pub refresh_token: Secret,
}

/// How a refresh ended.
#[derive(Debug)]
pub enum Refresh {
    /// New tokens.
    Renewed(Box<SignedIn>),
    /// The token had been used before: somebody else may hold it. The caller gives its transaction up and closes the
    /// session with [`close_reused`].
    Reused(Renewal),
}

/// A checked refresh token's session.
#[derive(Debug)]
pub struct Renewal {
    session: SessionId,
    tenant: TenantId,
    user: UserId,
}

/// A caller whose session and membership stand at this moment.
#[derive(Debug, Clone, Copy)]
pub struct Authorized {
    /// The role right now, whatever the token says.
    pub role: Role,
}

async fn tenancies(tx: &mut SystemTx, user: UserId) -> Result<Vec<Tenancy>> {
    Ok(sqlx::query_as!(
        Tenancy,
        r#"SELECT m.tenant_id AS "tenant_id: TenantId", t.name, m.role AS "role: Role"
           FROM memberships m JOIN tenants t ON t.id = m.tenant_id
           WHERE m.user_id = $1 AND m.accepted_at IS NOT NULL AND m.suspended_at IS NULL
           ORDER BY m.accepted_at, m.tenant_id"#,
        user.0
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Opens a session for a user who has been authenticated, by a password that is still theirs.
pub async fn open_session(
    tx: &mut SystemTx,
    tokens: &Tokens,
    authenticated: Authenticated,
    wanted: Option<TenantId>,
) -> Result<SignedIn> {
    let (now, user) = (tx.now(), authenticated.user);
    tx.act_as(user);
    // Whoever sets another password locks this row: they come first, and this is refused; or they see the session, and close it.
    let stands = sqlx::query!(
        "UPDATE users SET last_login_at = $2 WHERE id = $1 AND password_version = $3",
        user.0,
        now,
        authenticated.password_version,
    )
    .execute(tx.conn())
    .await?;
    if stands.rows_affected() == 0 {
        return Err(Error::Unauthenticated("wrong_credentials"));
    }
    let all = tenancies(tx, user).await?;
    // The first joined by default: being invited elsewhere must not change where a person lands.
    let chosen = all.iter().find(|tenancy| wanted.is_none_or(|tenant| tenant == tenancy.tenant_id));
    let tenant = chosen.ok_or(Error::Unauthenticated("no_membership"))?.tenant_id;
    let session = SessionId::new(now);
    sqlx::query!(
        "INSERT INTO sessions (tenant_id, id, user_id, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $4, $5)",
        tenant.0,
        session.0,
        user.0,
        now,
        now + tokens.refresh_ttl,
    )
    .execute(tx.conn())
    .await?;
    audit::record_system(tx, Some(tenant), "auth.login", "session", Some(session.0)).await?;
    issue(tx, tokens, &Renewal { session, tenant, user }, all).await
}

/// Renews a session by its newest refresh token, which is used up by it.
pub async fn refresh(tx: &mut SystemTx, tokens: &Tokens, request: &RefreshRequest) -> Result<Refresh> {
    let hash = tokens.hashes.refresh(request.refresh_token.expose())?;
    // The session row is locked: of two refreshes at once the second sees what the first did.
    let found = sqlx::query!(
        r#"SELECT s.tenant_id, s.id, s.user_id, s.last_used_at, s.expires_at, s.revoked_at, r.used_at
           FROM refresh_tokens r JOIN sessions s ON s.tenant_id = r.tenant_id AND s.id = r.session_id
           WHERE r.token_hash = $1 FOR UPDATE"#,
        hash
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Unauthenticated("invalid_refresh_token"))?;
    let now = tx.now();
    let renewal = Renewal {
        session: SessionId(found.id),
        tenant: TenantId(found.tenant_id),
        user: UserId(found.user_id),
    };
    let over = found.revoked_at.is_some()
        || found.expires_at <= now
        || found.last_used_at + tokens.idle_timeout <= now;
    if over {
        return Err(Error::Unauthenticated("session_over"));
    }
    if found.used_at.is_some_and(|used: DateTime<Utc>| used + PARALLEL_TABS < now) {
        return Ok(Refresh::Reused(renewal));
    }
    sqlx::query!(
        "UPDATE refresh_tokens SET used_at = COALESCE(used_at, $2) WHERE token_hash = $1",
        hash,
        now
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "UPDATE sessions SET last_used_at = $3 WHERE tenant_id = $1 AND id = $2",
        renewal.tenant.0,
        renewal.session.0,
        now
    )
    .execute(tx.conn())
    .await?;
    let all = tenancies(tx, renewal.user).await?;
    Ok(Refresh::Renewed(Box::new(issue(tx, tokens, &renewal, all).await?)))
}

/// Ends the caller's session; ending it twice is the same as once.
pub async fn logout(tx: &mut TenantTx, session: SessionId) -> Result<()> {
    let now = tx.now();
    let ended = sqlx::query!(
        "UPDATE sessions SET revoked_at = $3, revoked_reason = 'logout'
         WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL",
        tx.tenant().0,
        session.0,
        now
    )
    .execute(tx.conn())
    .await?;
    if ended.rows_affected() == 1 {
        audit::record(tx, "auth.logout", "session", session.0).await?;
    }
    Ok(())
}

/// Checks that session and membership still stand: a removed or suspended member or a closed session is out at once.
pub async fn authorize(tx: &mut TenantTx, session: SessionId, user: UserId) -> Result<Authorized> {
    let now = tx.now();
    sqlx::query_as!(
        Authorized,
        r#"SELECT m.role AS "role: Role"
           FROM sessions s JOIN memberships m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id
           WHERE s.tenant_id = $1 AND s.id = $2 AND s.user_id = $3
             AND s.revoked_at IS NULL AND s.expires_at > $4
             AND m.accepted_at IS NOT NULL AND m.suspended_at IS NULL"#,
        tx.tenant().0,
        session.0,
        user.0,
        now,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Unauthenticated("session_over"))
}

/// Closes a session whose refresh token was used twice.
pub async fn close_reused(tx: &mut SystemTx, of: &Renewal) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "UPDATE sessions SET revoked_at = $3, revoked_reason = 'token_reuse'
         WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL",
        of.tenant.0,
        of.session.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record_system(tx, Some(of.tenant), "auth.token_reuse", "session", Some(of.session.0)).await
}

/// Makes the pair of tokens; only the refresh token's hash is kept.
async fn issue(tx: &mut SystemTx, tokens: &Tokens, of: &Renewal, tenants: Vec<Tenancy>) -> Result<SignedIn> {
    let now = tx.now();
    let role = tenants
        .iter()
        .find(|tenancy| tenancy.tenant_id == of.tenant)
        .ok_or(Error::Unauthenticated("session_over"))?
        .role;
    let refresh_token = crypto::random_token()?;
    sqlx::query!(
        "INSERT INTO refresh_tokens (tenant_id, session_id, token_hash, issued_at, expires_at)
         SELECT tenant_id, id, $3, $4, expires_at FROM sessions WHERE tenant_id = $1 AND id = $2",
        of.tenant.0,
        of.session.0,
        tokens.hashes.refresh(&refresh_token)?,
        now,
    )
    .execute(tx.conn())
    .await?;
    let access_token = tokens.sign(claims(tx, of, role).await?, now)?;
    let deletion_due_at = deletion_due(tx, of.user).await?;
    Ok(SignedIn {
        access_token,
        refresh_token,
        token_type: "Bearer",
        expires_in: tokens.access_ttl.as_secs(),
        user_id: of.user,
        tenant_id: of.tenant,
        role,
        permissions: Permissions::of(role),
        tenants,
        deletion_due_at,
    })
}

async fn claims(tx: &mut SystemTx, of: &Renewal, role: Role) -> Result<Claims> {
    let user = sqlx::query!(
        r#"SELECT u.email, p.rpps_number AS "rpps_number?", p.adeli_number AS "adeli_number?"
           FROM users u
           LEFT JOIN practitioners p ON p.tenant_id = $2 AND p.user_id = u.id AND p.deleted_at IS NULL
           WHERE u.id = $1"#,
        of.user.0,
        of.tenant.0 as Uuid,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Claims {
        iss: String::new(),
        sub: of.user,
        sid: of.session,
        tenant: of.tenant,
        email: user.email,
        role,
        permissions: Permissions::of(role),
        rpps_number: user.rpps_number,
        adeli_number: user.adeli_number,
        iat: 0,
        exp: 0,
    })
}
