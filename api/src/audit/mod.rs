//! The audit trail: a tenant's own, and for operators of the platform everybody's. Reading it is recorded in it.

use axum::Json;
use permanence_domain::audit::{self, Trail, TrailQuery};

use crate::{
    error::{CommonErrors, Result},
    extract::{AuditRead, PlatformAuditRead, Query, Read},
};

/// Who did what in the tenant, the newest first; the next page begins before `next`.
#[utoipa::path(get, path = "/audit-logs", tag = "audit", security(("bearer" = [])), params(TrailQuery),
    responses((status = 200, body = Trail), CommonErrors))]
pub(crate) async fn list_audit_logs(
    mut read: Read<AuditRead>,
    Query(query): Query<TrailQuery>,
) -> Result<Json<Trail>> {
    let trail = audit::read_own(&mut read.tx, query).await?;
    read.tx.commit().await?;
    Ok(Json(trail))
}

/// Who did what on the whole platform, the newest first; the next page begins before `next`.
#[utoipa::path(get, path = "/super-admin/audit-logs", tag = "audit", security(("bearer" = [])),
    params(TrailQuery), responses((status = 200, body = Trail), CommonErrors))]
pub(crate) async fn list_platform_audit_logs(
    read: Read<PlatformAuditRead>,
    Query(query): Query<TrailQuery>,
) -> Result<Json<Trail>> {
    let mut tx = read.tx.widen().await?;
    let trail = audit::read_all(&mut tx, &query).await?;
    tx.commit().await?;
    Ok(Json(trail))
}
