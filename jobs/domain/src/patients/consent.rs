//! Consents with their history: every answer is kept, the newest counts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Consents;
use crate::{
    db::TenantTx,
    error::Result,
    ids::{PatientId, UserId},
};

/// One answer that a patient gave.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentRecord {
    /// What for: `reminder_sms`, `reminder_email` or `imaging`.
    pub purpose: String,
    /// Whether it was granted.
    pub granted: bool,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// Who noted it.
    pub recorded_by: Option<UserId>,
    /// Whether the patient gave it by their own hand, by the link of a mail.
    pub by_patient: bool,
}

/// Notes the answers that differ from the ones before; `None` for a new patient.
pub(super) async fn record(
    tx: &mut TenantTx,
    patient: PatientId,
    before: Option<Consents>,
    after: Consents,
) -> Result<()> {
    let changes = [
        ("reminder_sms", before.map(|c| c.reminder_sms), after.reminder_sms),
        ("reminder_email", before.map(|c| c.reminder_email), after.reminder_email),
        // It may be left out, and then nobody was asked.
        ("imaging", Some(before.is_some_and(|c| c.imaging)), after.imaging),
    ];
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor());
    for (purpose, _, granted) in changes.into_iter().filter(|(_, before, after)| *before != Some(*after)) {
        sqlx::query!(
            "INSERT INTO patient_consents (tenant_id, patient_id, purpose, granted, recorded_at, recorded_by, by_patient)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            tenant.0,
            patient.0,
            purpose,
            granted,
            now,
            by.user.map(|user| user.0),
            by.patient.is_some(),
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Every answer of a patient, the newest first.
pub async fn list_consents(tx: &mut TenantTx, patient: PatientId) -> Result<Vec<ConsentRecord>> {
    super::get(tx, patient).await?;
    Ok(sqlx::query_as!(
        ConsentRecord,
        r#"SELECT purpose, granted, recorded_at, recorded_by AS "recorded_by: UserId", by_patient
           FROM patient_consents WHERE tenant_id = $1 AND patient_id = $2 ORDER BY id DESC"#,
        tx.tenant().0,
        patient.0 as Uuid,
    )
    .fetch_all(tx.conn())
    .await?)
}
