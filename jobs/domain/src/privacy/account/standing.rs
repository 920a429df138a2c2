//! Who cannot leave yet: the last one in charge of a tenant, and the practitioner whom patients have appointments with.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    db::SystemTx,
    error::{Error, Result},
    ids::{TenantId, UserId},
};

/// What keeps somebody from leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// Nobody else is in charge there.
    LastAdmin,
    /// Patients have appointments with them there.
    AppointmentsComing,
}

/// Where somebody is still needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Held {
    /// What for.
    pub by: HeldBy,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub tenant_name: String,
}

/// Where the person is the last one in charge. Whoever is leaving as well is no successor, where `lasting` is asked for: of two who
/// both leave, the first is let go.
async fn last_in_charge(tx: &mut SystemTx, user: UserId, lasting: bool) -> Result<Vec<Held>> {
    let rows = sqlx::query!(
        r#"SELECT m.tenant_id AS "tenant_id: TenantId", t.name
           FROM memberships m JOIN tenants t ON t.id = m.tenant_id
           WHERE m.user_id = $1 AND m.accepted_at IS NOT NULL AND m.role IN ('admin', 'hr_admin', 'super_admin')
             AND NOT EXISTS (
                 SELECT FROM memberships o
                 WHERE o.tenant_id = m.tenant_id AND o.user_id <> m.user_id AND o.role = m.role
                   AND o.accepted_at IS NOT NULL AND o.suspended_at IS NULL
                   AND NOT ($2 AND EXISTS (SELECT FROM account_erasures e
                                           WHERE e.user_id = o.user_id AND e.status IN ('pending', 'running'))))
           ORDER BY t.name, m.tenant_id"#,
        user.0,
        lasting,
    )
    .fetch_all(tx.conn())
    .await?;
    let held = rows.into_iter().map(|row| Held {
        by: HeldBy::LastAdmin,
        tenant_id: row.tenant_id,
        tenant_name: row.name,
    });
    Ok(held.collect())
}

/// Where patients have appointments with the person that end after this.
async fn expected(tx: &mut SystemTx, user: UserId, after: DateTime<Utc>) -> Result<Vec<Held>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT t.name, m.tenant_id AS "tenant_id: TenantId"
           FROM memberships m
           JOIN tenants t ON t.id = m.tenant_id
           JOIN practitioners p ON p.tenant_id = m.tenant_id AND p.user_id = m.user_id
           JOIN appointments a ON a.tenant_id = p.tenant_id AND a.practitioner_id = p.id
           WHERE m.user_id = $1 AND a.status = 'scheduled' AND a.ends_at > $2
           ORDER BY t.name, "tenant_id: TenantId""#,
        user.0,
        after,
    )
    .fetch_all(tx.conn())
    .await?;
    let by = HeldBy::AppointmentsComing;
    Ok(rows.into_iter().map(|row| Held { by, tenant_id: row.tenant_id, tenant_name: row.name }).collect())
}

/// Whether the person is a patient whose appointment is under way at this moment: they are let finish.
pub(super) async fn in_consultation(tx: &mut SystemTx, user: UserId) -> Result<bool> {
    let now = tx.now();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM employee_patients p
                          JOIN appointments a ON a.tenant_id = p.tenant_id AND a.patient_id = p.patient_id
                          WHERE p.user_id = $1 AND a.status = 'scheduled' AND a.starts_at <= $2 AND a.ends_at > $2) AS "is!""#,
        user.0,
        now,
    )
    .fetch_one(tx.conn())
    .await?)
}

fn names(held: &[Held]) -> String {
    held.iter().map(|held| held.tenant_name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Refuses what would leave a tenant without anybody in charge, or appointments after that day without their practitioner; the
/// error names the tenants.
pub(super) async fn refuse_stranding(tx: &mut SystemTx, user: UserId, day: DateTime<Utc>) -> Result<()> {
    let last = last_in_charge(tx, user, true).await?;
    if !last.is_empty() {
        let detail = format!(
            "nobody else is in charge of {}: let somebody else run it first, who stays",
            names(&last)
        );
        return Err(Error::conflict("last_admin", detail));
    }
    let expected = expected(tx, user, day).await?;
    if expected.is_empty() {
        return Ok(());
    }
    let (places, day) = (names(&expected), day.date_naive());
    let detail = format!(
        "patients have appointments with you after {day} at {places}: give them to a colleague or cancel them first"
    );
    Err(Error::conflict("appointments_coming", detail))
}

/// What is in the way now that the day has come.
pub(super) async fn held(tx: &mut SystemTx, user: UserId) -> Result<Vec<Held>> {
    let now = tx.now();
    let mut held = last_in_charge(tx, user, false).await?;
    held.extend(expected(tx, user, now).await?);
    Ok(held)
}
