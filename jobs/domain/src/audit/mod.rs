//! The trail of who did what to what. Owns the audit log; never records content.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    db::{Actor, SystemTx, TenantTx},
    error::Result,
    ids::TenantId,
};

/// Notes an action on one of the tenant's resources, in the transaction of the action itself.
pub async fn record(
    tx: &mut TenantTx,
    action: &str,
    resource: &str,
    id: impl Into<Option<Uuid>>,
) -> Result<()> {
    let (tenant, actor, now) = (tx.tenant(), tx.actor(), tx.now());
    add(tx.conn(), now, actor, Some(tenant), (action, resource, id.into())).await
}

/// Notes an action that no tenant transaction carries, such as signing in.
pub async fn record_system(
    tx: &mut SystemTx,
    tenant: Option<TenantId>,
    action: &str,
    resource: &str,
    id: Option<Uuid>,
) -> Result<()> {
    let (actor, now) = (tx.actor(), tx.now());
    add(tx.conn(), now, actor, tenant, (action, resource, id)).await
}

async fn add(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    actor: Actor,
    tenant: Option<TenantId>,
    (action, resource, id): (&str, &str, Option<Uuid>),
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO audit_log (tenant_id, at, actor_id, action, resource, resource_id, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant.map(|tenant| tenant.0),
        now,
        actor.user.map(|user| user.0),
        action,
        resource,
        id,
        actor.request,
    )
    .execute(conn)
    .await?;
    Ok(())
}
