//! Founding a tenant, and its first members: for operators and demonstration data, never for a request.

use chrono_tz::Tz;

use super::Role;
use crate::{
    audit,
    db::SystemTx,
    error::Result,
    field::{EmailAddress, FullName, Label, Language},
    ids::{TenantId, UserId},
};

/// A tenant to found.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// `practice`, `company` or `platform`.
    pub kind: &'static str,
    /// Its name.
    pub name: Label,
    /// Where its clocks hang.
    pub time_zone: Tz,
    /// The language it works in.
    pub language: Language,
    /// Where patients call.
    pub phone: Option<String>,
    /// Where patients come.
    pub address: Option<String>,
}

/// Founds a tenant; a practice comes with its settings.
pub async fn create_tenant(tx: &mut SystemTx, new: &NewTenant) -> Result<TenantId> {
    let now = tx.now();
    let id = TenantId::new(now);
    sqlx::query!(
        "INSERT INTO tenants (id, kind, name, time_zone, language, phone, address, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        new.kind,
        new.name.as_str(),
        new.time_zone.name(),
        new.language as Language,
        new.phone,
        new.address,
        now,
    )
    .execute(tx.conn())
    .await?;
    if new.kind == "practice" {
        sqlx::query!("INSERT INTO settings (tenant_id, updated_at) VALUES ($1, $2)", id.0, now)
            .execute(tx.conn())
            .await?;
    }
    audit::record_system(tx, Some(id), "tenant.create", "tenant", Some(id.0)).await?;
    Ok(id)
}

/// Every practice, the oldest first: for what goes through all of them.
pub async fn practices(tx: &mut SystemTx) -> Result<Vec<TenantId>> {
    Ok(sqlx::query_scalar!(r#"SELECT id AS "id: TenantId" FROM tenants WHERE kind = 'practice' ORDER BY id"#)
        .fetch_all(tx.conn())
        .await?)
}

/// The tenant of this name, the oldest if there are several.
pub async fn find_tenant(tx: &mut SystemTx, name: &str) -> Result<Option<TenantId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: TenantId" FROM tenants WHERE name = $1 ORDER BY id LIMIT 1"#,
        name
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Adds a member who may sign in at once with a password whose hash is given; an existing identity keeps its own.
pub async fn add_member(
    tx: &mut SystemTx,
    tenant: TenantId,
    email: &EmailAddress,
    full_name: &FullName,
    role: Role,
    password_hash: &str,
) -> Result<UserId> {
    let now = tx.now();
    let user = sqlx::query_scalar!(
        r#"INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (email) DO UPDATE SET password_hash = COALESCE(users.password_hash, excluded.password_hash)
           RETURNING id AS "id: UserId""#,
        UserId::random().0,
        email.as_str(),
        password_hash,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO memberships (tenant_id, user_id, role, full_name, created_at, accepted_at)
         VALUES ($1, $2, $3, $4, $5, $5)",
        tenant.0,
        user.0,
        role as Role,
        full_name.as_str(),
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record_system(tx, Some(tenant), "user.add", "user", Some(user.0)).await?;
    Ok(user)
}
