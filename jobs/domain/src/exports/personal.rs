//! Files of one person's data: they are written, kept and cleared as exports are, and are not among a practice's exports. Owns
//! how such a file stands; knows nothing of what is in it.

use chrono::{DateTime, Utc};
use permanence_queue::JobId;

use super::{
    ExportFormat, ExportStatus,
    export::{JOB_DISCARDED, key, status_of},
};
use crate::{
    db::TenantTx,
    error::Result,
    ids::ExportId,
    storage::ObjectKey,
    vault::{KeyClass, Subject},
};

/// How a person's file stands.
#[derive(Debug, Clone)]
pub struct PersonalFile {
    /// How it stands.
    pub status: ExportStatus,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it was there.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// Its size, opened.
    pub size_bytes: Option<i64>,
    /// Its SHA-256, opened.
    pub sha256: Option<Vec<u8>>,
    /// Where it lies.
    pub key: ObjectKey,
}

/// Whose key seals the file: its own. It is destroyed when the file is cleared, and with it every copy that a backup holds.
pub fn file_key(id: ExportId) -> Subject {
    Subject { id: id.0, class: KeyClass::Personal }
}

/// Adds the row of a file that this job is to write.
pub async fn request_file(tx: &mut TenantTx, id: ExportId, job: JobId, kind: &'static str) -> Result<()> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor());
    sqlx::query!(
        "INSERT INTO exports (tenant_id, id, job_id, kind, format, profile, filters, created_by, created_at, updated_at,
                              personal)
         VALUES ($1, $2, $3, $4, 'zip', 'rfc4180', '{}', $5, $6, $6, true)",
        tenant.0,
        id.0,
        job.0,
        kind,
        actor.user.map(|user| user.0),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How the file stands at this moment; none once it was forgotten.
pub async fn find_file(tx: &mut TenantTx, id: ExportId) -> Result<Option<PersonalFile>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let row = sqlx::query!(
        r#"SELECT status AS "status: ExportStatus", format AS "format: ExportFormat", job_id, run, failure, completed_at,
                  expires_at, size_bytes, sha256
           FROM exports WHERE tenant_id = $1 AND id = $2 AND personal"#,
        tenant.0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let status = match row.status {
        ExportStatus::Queued | ExportStatus::Running => status_of(tx.conn(), JobId(row.job_id)).await?,
        ExportStatus::Completed if row.expires_at.is_some_and(|at| at <= now) => ExportStatus::Expired,
        status => status,
    };
    let discarded = (status == ExportStatus::Failed).then(|| JOB_DISCARDED.to_owned());
    Ok(Some(PersonalFile {
        status,
        failure: row.failure.or(discarded),
        completed_at: row.completed_at,
        expires_at: row.expires_at,
        size_bytes: row.size_bytes,
        sha256: row.sha256,
        key: key(tenant, id, row.run, row.format)?,
    }))
}
