//! The life of a file: kept, opened, retracted. Its object is sealed before it is stored, under a key that only its row knows.

use permanence_queue::NewJob;
use uuid::Uuid;

use super::{
    NewFile, StoredFile,
    jobs::ClearFile,
    row::{find, require},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    identity::{Role, Scope},
    ids::{FileId, PatientId, TenantId},
    patients,
    storage::ObjectKey,
    vault::{ContentKey, KeyClass, Place, Sealed, Subject, Vault},
};

/// A file that lies in the object store, sealed.
#[derive(Debug)]
pub struct Received<'a> {
    /// Where.
    pub object: &'a ObjectKey,
    /// What it is, by what it holds.
    pub media_type: &'a str,
    /// Bytes before it was sealed.
    pub bytes: i64,
    /// What opens it.
    pub key: &'a ContentKey,
}

/// A file that may be read.
#[derive(Debug)]
pub struct StoredContent {
    /// What is known of it.
    pub file: StoredFile,
    /// Where it lies.
    pub object: ObjectKey,
    /// What opens it.
    pub key: ContentKey,
}

impl StoredContent {
    /// A name for whoever saves it: of our own making, so that nothing in it can mislead.
    pub fn name(&self) -> String {
        let suffix = match self.file.media_type.as_str() {
            "image/jpeg" => "jpg",
            "image/png" => "png",
            _ => "pdf",
        };
        format!("{}.{suffix}", self.file.id)
    }
}

/// Under whose key: what is the patient's falls with the patient's.
pub(super) fn subject(tenant: TenantId, patient: Option<PatientId>) -> Subject {
    match patient {
        Some(patient) => Subject { id: patient.0, class: KeyClass::Care },
        None => Subject { id: tenant.0, class: KeyClass::Personal },
    }
}

pub(super) fn place(tenant: TenantId, file: Uuid) -> Place {
    Place { tenant, table: "files", row: file, version: 1 }
}

/// Keeps a file that lies in the object store.
pub async fn keep(
    tx: &mut TenantTx,
    role: Role,
    vault: &Vault,
    new: NewFile,
    received: &Received<'_>,
) -> Result<StoredFile> {
    require(role, new.patient_id)?;
    if let Some(patient) = new.patient_id {
        patients::get(tx, patient).await?;
    }
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let id = FileId::new(now);
    let key = vault.writing(tx, subject(tenant, new.patient_id)).await?;
    let Sealed(sealed_key) = received.key.sealed(&key, &place(tenant, id.0))?;
    sqlx::query!(
        "INSERT INTO files (tenant_id, id, kind, patient_id, media_type, bytes, sealed_key, object_key, created_at,
                            created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        tenant.0,
        id.0,
        new.kind as super::FileKind,
        new.patient_id.map(|patient| patient.0),
        received.media_type,
        received.bytes,
        sealed_key,
        received.object.as_str(),
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "file.write", "file", id.0).await?;
    find(tx, role, id).await
}

/// Where a file lies and what opens it. That it was read is in the audit trail.
pub async fn content(tx: &mut TenantTx, role: Role, vault: &Vault, id: FileId) -> Result<StoredContent> {
    let file = find(tx, role, id).await?;
    audit::record(tx, "file.read", "file", id.0).await?;
    let tenant = tx.tenant();
    let row = sqlx::query!(
        "SELECT sealed_key, object_key FROM files WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let key = vault.reading(tx, subject(tenant, file.patient_id)).await?;
    let key = ContentKey::opened(&key, &place(tenant, id.0), &Sealed(row.sealed_key))?;
    Ok(StoredContent { file, object: ObjectKey::parse(&row.object_key)?, key })
}

/// Retracts a file: whoever handed it in may, and whoever answers for such files. A patient's is kept out of sight (CSP R1112-7);
/// the practice's own is removed by a job.
pub async fn retract(tx: &mut TenantTx, role: Role, id: FileId) -> Result<()> {
    let file = find(tx, role, id).await?;
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let answers_for_it = if file.patient_id.is_some() { Scope::RecordsWrite } else { Scope::PracticeWrite };
    if file.created_by.is_none_or(|user| Some(user) != by) && !role.may(answers_for_it) {
        return Err(Error::Forbidden(answers_for_it.as_str()));
    }
    let retracted = sqlx::query!(
        "UPDATE files SET retracted_at = $3, retracted_by = $4
         WHERE tenant_id = $1 AND id = $2 AND retracted_at IS NULL",
        tenant.0,
        id.0,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    if retracted.rows_affected() == 0 {
        return Err(Error::NotFound("file"));
    }
    if file.patient_id.is_none() {
        tx.enqueue(NewJob::of(&ClearFile { file_id: id })?).await?;
    }
    audit::record(tx, "file.retract", "file", id.0).await
}

/// The object of a file that was retracted and belongs to no patient; `None` where there is nothing to remove.
pub async fn leftover(tx: &mut TenantTx, id: FileId) -> Result<Option<ObjectKey>> {
    let key = sqlx::query_scalar!(
        "SELECT object_key FROM files
         WHERE tenant_id = $1 AND id = $2 AND patient_id IS NULL AND retracted_at IS NOT NULL AND cleared_at IS NULL",
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    key.as_deref().map(ObjectKey::parse).transpose()
}

/// Notes that a file's object is gone; twice is the same as once.
pub async fn cleared(tx: &mut TenantTx, id: FileId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE files SET cleared_at = coalesce(cleared_at, $3) WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
