//! The life of a record: written, read, written anew, retracted. Nothing of it is ever overwritten.

use super::{NewRecord, Record, RecordHistory, RecordVersion, RecordWritten, row::Row, subject};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    ids::{MedicalRecordId, PatientId, PractitionerId, UserId},
    patients,
    scheduling::today,
    vault::Vault,
};

/// Writes a record of a patient.
pub async fn write(
    tx: &mut TenantTx,
    vault: &Vault,
    patient: PatientId,
    new: &NewRecord,
) -> Result<RecordWritten> {
    check(tx, new).await?;
    patients::get(tx, patient).await?;
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let id = MedicalRecordId::new(now);
    sqlx::query!(
        "INSERT INTO medical_records (tenant_id, id, patient_id, created_at, created_by, updated_at, updated_by)
         VALUES ($1, $2, $3, $4, $5, $4, $5)",
        tenant.0,
        id.0,
        patient.0,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    add_version(tx, vault, patient, id, 1, new).await?;
    audit::record(tx, "medical_record.write", "medical_record", id.0).await?;
    Ok(RecordWritten { id, patient_id: patient, version: 1, written_at: now })
}

async fn check(tx: &mut TenantTx, new: &NewRecord) -> Result<()> {
    new.check(today(tx).await?)
}

async fn add_version(
    tx: &mut TenantTx,
    vault: &Vault,
    patient: PatientId,
    id: MedicalRecordId,
    version: i32,
    new: &NewRecord,
) -> Result<()> {
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let sealed = new.seal(&vault.writing(tx, subject(patient)).await?, tenant, id.0, version)?;
    sqlx::query!(
        "INSERT INTO medical_record_versions (tenant_id, record_id, version, sealed, written_at, written_by)
         VALUES ($1, $2, $3, $4, $5, $6)",
        tenant.0,
        id.0,
        version,
        sealed.0,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A record as it is, or as it was at a version. That it was read is in the audit trail.
pub async fn read(
    tx: &mut TenantTx,
    vault: &Vault,
    id: MedicalRecordId,
    version: Option<i32>,
) -> Result<Record> {
    let tenant = tx.tenant();
    let row = sqlx::query_as!(
        Row,
        r#"SELECT r.id AS "id: MedicalRecordId", r.patient_id AS "patient_id: PatientId", v.version, v.sealed, r.created_at,
                  r.created_by AS "created_by: UserId", v.written_at AS updated_at,
                  v.written_by AS "updated_by: UserId", v.imported_at,
                  v.practitioner_id AS "practitioner_id: PractitionerId", r.retracted_at, r.retracted_by AS "retracted_by: UserId"
           FROM medical_records r
           JOIN medical_record_versions v ON v.tenant_id = r.tenant_id AND v.record_id = r.id
           JOIN patients p ON p.tenant_id = r.tenant_id AND p.id = r.patient_id AND p.deleted_at IS NULL
           WHERE r.tenant_id = $1 AND r.id = $2 AND v.version = coalesce($3, r.version)"#,
        tenant.0,
        id.0,
        version,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("medical record"))?;
    audit::record(tx, "medical_record.read", "medical_record", id.0).await?;
    let key = vault.reading(tx, subject(row.patient_id)).await?;
    row.open(&key, tenant)
}

/// The record's patient, if it stands and is at the version that was read; locked until the transaction ends.
async fn lock(tx: &mut TenantTx, id: MedicalRecordId, version: Option<i32>) -> Result<PatientId> {
    let row = sqlx::query!(
        r#"SELECT r.patient_id AS "patient_id: PatientId", r.version, r.retracted_at
           FROM medical_records r
           JOIN patients p ON p.tenant_id = r.tenant_id AND p.id = r.patient_id AND p.deleted_at IS NULL
           WHERE r.tenant_id = $1 AND r.id = $2 FOR NO KEY UPDATE OF r"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("medical record"))?;
    if row.retracted_at.is_some() {
        return Err(Error::conflict("record_retracted", "the record was retracted: write another one"));
    }
    if version.is_some_and(|version| version != row.version) {
        return Err(Error::Changed("medical record"));
    }
    Ok(row.patient_id)
}

/// Writes a record anew, as its next version; those before stay.
pub async fn update(
    tx: &mut TenantTx,
    vault: &Vault,
    id: MedicalRecordId,
    version: i32,
    new: &NewRecord,
) -> Result<RecordWritten> {
    check(tx, new).await?;
    let patient = lock(tx, id, Some(version)).await?;
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let next = version + 1;
    add_version(tx, vault, patient, id, next, new).await?;
    sqlx::query!(
        "UPDATE medical_records SET version = $3, updated_at = $4, updated_by = $5 WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        next,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "medical_record.update", "medical_record", id.0).await?;
    Ok(RecordWritten { id, patient_id: patient, version: next, written_at: now })
}

/// Retracts a record that was written in error. It is kept (CSP R1112-7) and shown as retracted.
pub async fn retract(tx: &mut TenantTx, id: MedicalRecordId) -> Result<()> {
    lock(tx, id, None).await?;
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    sqlx::query!(
        "UPDATE medical_records SET retracted_at = $3, retracted_by = $4 WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "medical_record.retract", "medical_record", id.0).await
}

/// Who wrote which version of a record, the newest first.
pub async fn versions(tx: &mut TenantTx, id: MedicalRecordId) -> Result<RecordHistory> {
    let items = sqlx::query_as!(
        RecordVersion,
        r#"SELECT v.version, v.written_at, v.written_by AS "written_by: UserId", v.imported_at,
                  v.practitioner_id AS "practitioner_id: PractitionerId"
           FROM medical_record_versions v
           JOIN medical_records r ON r.tenant_id = v.tenant_id AND r.id = v.record_id
           JOIN patients p ON p.tenant_id = r.tenant_id AND p.id = r.patient_id AND p.deleted_at IS NULL
           WHERE v.tenant_id = $1 AND v.record_id = $2 ORDER BY v.version DESC"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    if items.is_empty() {
        return Err(Error::NotFound("medical record"));
    }
    audit::record(tx, "medical_record.history", "medical_record", id.0).await?;
    Ok(RecordHistory { items })
}
