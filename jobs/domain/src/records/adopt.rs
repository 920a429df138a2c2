//! Takes over records that were written elsewhere: each version keeps its date and its author, and tells when it was moved in.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{NewRecord, subject};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    ids::{MedicalRecordId, PatientId, PractitionerId},
    vault::{Sealed, SubjectKey, Vault},
};

/// A record as it was kept elsewhere.
#[derive(Debug)]
pub(crate) struct AdoptedRecord {
    /// First written at.
    pub(crate) created_at: DateTime<Utc>,
    /// Every version, the oldest first.
    pub(crate) versions: Vec<AdoptedVersion>,
}

/// A version of it.
#[derive(Debug)]
pub(crate) struct AdoptedVersion {
    pub(crate) content: NewRecord,
    pub(crate) written_at: DateTime<Utc>,
    /// Who wrote it, if the practice knows them.
    pub(crate) practitioner: Option<PractitionerId>,
}

/// The key that a patient's records are sealed under.
pub(crate) async fn care_key(tx: &mut TenantTx, vault: &Vault, patient: PatientId) -> Result<SubjectKey> {
    vault.writing(tx, subject(patient)).await
}

/// Opens a version with the patient's key.
pub(crate) fn open_version(
    tx: &TenantTx,
    key: &SubjectKey,
    record: Uuid,
    version: i32,
    sealed: Vec<u8>,
) -> Result<NewRecord> {
    NewRecord::open(key, tx.tenant(), record, version, sealed)
}

/// Takes over a record, sealed under the patient's key.
pub(crate) async fn adopt(
    tx: &mut TenantTx,
    key: &SubjectKey,
    patient: PatientId,
    record: &AdoptedRecord,
) -> Result<MedicalRecordId> {
    let (tenant, now) = (tx.tenant(), tx.now());
    // Records are listed by their identifiers: it sorts by when it was written, not by when it came.
    let id = MedicalRecordId::new(record.created_at);
    let last = record.versions.last().ok_or_else(|| Error::internal("a record without a version"))?;
    let mut numbers = Vec::with_capacity(record.versions.len());
    let mut sealed = Vec::with_capacity(record.versions.len());
    for (version, number) in record.versions.iter().zip(1..) {
        let Sealed(bytes) = version.content.seal(key, tenant, id.0, number)?;
        numbers.push(number);
        sealed.push(bytes);
    }
    sqlx::query!(
        "INSERT INTO medical_records (tenant_id, id, patient_id, version, created_at, created_by, updated_at, updated_by)
         SELECT $1, $2, $3, $4, $5, (SELECT user_id FROM practitioners WHERE tenant_id = $1 AND id = $6),
                $7, (SELECT user_id FROM practitioners WHERE tenant_id = $1 AND id = $8)",
        tenant.0,
        id.0,
        patient.0,
        numbers.last().copied().unwrap_or(1),
        record.created_at,
        record.versions.first().and_then(|first| first.practitioner).map(|id| id.0),
        last.written_at,
        last.practitioner.map(|id| id.0),
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO medical_record_versions (tenant_id, record_id, version, sealed, written_at, written_by,
                                              practitioner_id, imported_at)
         SELECT $1, $2, v.version, v.sealed, v.written_at, p.user_id, v.practitioner_id, $7
         FROM unnest($3::int[], $4::bytea[], $5::timestamptz[], $6::uuid[])
             AS v (version, sealed, written_at, practitioner_id)
         LEFT JOIN practitioners p ON p.tenant_id = $1 AND p.id = v.practitioner_id",
        tenant.0,
        id.0,
        &numbers,
        &sealed,
        &record.versions.iter().map(|version| version.written_at).collect::<Vec<_>>(),
        &record.versions.iter().map(|version| version.practitioner.map(|id| id.0)).collect::<Vec<_>>()
            as &Vec<Option<Uuid>>,
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "medical_record.import", "medical_record", id.0).await?;
    Ok(id)
}
