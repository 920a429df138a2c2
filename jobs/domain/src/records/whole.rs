//! All that was ever written of a patient, for the patient.

use super::{Record, row::Row, subject};
use crate::{
    db::TenantTx,
    error::Result,
    ids::{MedicalRecordId, PatientId, PractitionerId, UserId},
    vault::Vault,
};

/// A version of a record, and whether it is the present one.
#[derive(Debug)]
pub struct WholeVersion {
    /// The record as it was then.
    pub record: Record,
    /// Whether no later version replaced it.
    pub current: bool,
    /// Who wrote it, by name, while they are a member; where it was moved in, the practitioner who wrote it there.
    pub written_by: Option<String>,
}

/// Every version of every record of a patient, those that were retracted too, in the order in which they were written. That they
/// were read is noted by whoever has them read.
pub async fn every_version(
    tx: &mut TenantTx,
    vault: &Vault,
    patient: PatientId,
) -> Result<Vec<WholeVersion>> {
    let tenant = tx.tenant();
    let rows = sqlx::query!(
        r#"SELECT r.id AS "id: MedicalRecordId", r.version AS current, v.version, v.sealed, r.created_at,
                  r.created_by AS "created_by: UserId", v.written_at, v.written_by AS "written_by: UserId", v.imported_at,
                  v.practitioner_id AS "practitioner_id: PractitionerId", r.retracted_at,
                  r.retracted_by AS "retracted_by: UserId",
                  coalesce(m.full_name, w.first_name || ' ' || w.last_name) AS author
           FROM medical_records r
           JOIN medical_record_versions v ON v.tenant_id = r.tenant_id AND v.record_id = r.id
           LEFT JOIN memberships m ON m.tenant_id = v.tenant_id AND m.user_id = v.written_by
           LEFT JOIN practitioners w ON w.tenant_id = v.tenant_id AND w.id = v.practitioner_id
           WHERE r.tenant_id = $1 AND r.patient_id = $2 ORDER BY r.id, v.version"#,
        tenant.0,
        patient.0,
    )
    .fetch_all(tx.conn())
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let key = vault.reading(tx, subject(patient)).await?;
    let whole = rows.into_iter().map(|row| {
        let current = row.current == row.version;
        let written = Row {
            id: row.id,
            patient_id: patient,
            version: row.version,
            sealed: row.sealed,
            created_at: row.created_at,
            created_by: row.created_by,
            updated_at: row.written_at,
            updated_by: row.written_by,
            imported_at: row.imported_at,
            practitioner_id: row.practitioner_id,
            retracted_at: row.retracted_at,
            retracted_by: row.retracted_by,
        };
        Ok(WholeVersion { record: written.open(&key, tenant)?, current, written_by: row.author })
    });
    whole.collect()
}
