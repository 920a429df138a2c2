//! Every file that is kept of a patient, for the patient: also those that were retracted, which nobody else is shown.

use chrono::{DateTime, Utc};

use super::{
    FileKind, StoredContent, StoredFile,
    file::{place, subject},
};
use crate::{
    db::TenantTx,
    error::Result,
    ids::{FileId, PatientId, UserId},
    storage::ObjectKey,
    vault::{ContentKey, Sealed, Vault},
};

/// A file that is kept.
#[derive(Debug)]
pub struct HeldFile {
    /// What is known of it, where it lies, and what opens it.
    pub content: StoredContent,
    /// Retracted at.
    pub retracted_at: Option<DateTime<Utc>>,
}

/// All that are kept of a patient, the oldest first. That they were read is for the caller to note.
pub async fn every_file(tx: &mut TenantTx, vault: &Vault, patient: PatientId) -> Result<Vec<HeldFile>> {
    let tenant = tx.tenant();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: FileId", kind AS "kind: FileKind", media_type, bytes, sealed_key, object_key, created_at,
                  created_by AS "created_by: UserId", retracted_at
           FROM files WHERE tenant_id = $1 AND patient_id = $2 AND cleared_at IS NULL ORDER BY id"#,
        tenant.0,
        patient.0,
    )
    .fetch_all(tx.conn())
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let key = vault.reading(tx, subject(tenant, Some(patient))).await?;
    let held = rows.into_iter().map(|row| {
        let content = StoredContent {
            key: ContentKey::opened(&key, &place(tenant, row.id.0), &Sealed(row.sealed_key))?,
            object: ObjectKey::parse(&row.object_key)?,
            file: StoredFile {
                id: row.id,
                kind: row.kind,
                patient_id: Some(patient),
                media_type: row.media_type,
                bytes: row.bytes,
                created_at: row.created_at,
                created_by: row.created_by,
            },
        };
        Ok(HeldFile { content, retracted_at: row.retracted_at })
    });
    held.collect()
}
