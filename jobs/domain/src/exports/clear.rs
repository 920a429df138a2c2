//! Taking exports out of the object store: those whose time is over, that came to nothing, or that somebody removed. Owns
//! which and when; never talks to the store.

use std::collections::HashSet;

use chrono::Duration;
use permanence_queue::{JobId, NewJob, Unique};

use super::{
    ExportFormat, ExportStatus,
    export::{JOB_DISCARDED, key, status_of},
    jobs::ClearExport,
    personal::file_key,
};
use crate::{
    db::{SystemTx, TenantTx},
    error::Result,
    ids::ExportId,
    storage::{ObjectKey, UploadId},
    vault::Vault,
};

/// How long an export is left to those who are at it before the sweep looks.
const GRACE: Duration = Duration::minutes(15);
/// How long it is remembered that there was one.
const REMEMBERED: Duration = Duration::days(90);
/// Exports of one sweep; the next one finds the rest.
const SWEPT_AT_ONCE: i64 = 1_000;

/// What an attempt may have in the object store.
#[derive(Debug, Clone)]
pub struct Leftover {
    /// Its file.
    pub key: ObjectKey,
    /// Its unfinished upload.
    pub upload: Option<UploadId>,
}

/// What to do about an export that may be over.
#[derive(Debug)]
pub enum Retreat {
    /// Clear this away, then tell [`cleared`].
    Clear(Leftover),
    /// Its job is still at it, and has been asked to stop.
    Wait,
    /// Nothing: it is not over, or nothing is left.
    Settled,
}

/// Ends an export whose time is over or whose job has ended, and tells what is left of it.
pub async fn retreat(tx: &mut TenantTx, id: ExportId) -> Result<Retreat> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let row = sqlx::query!(
        r#"SELECT format AS "format: ExportFormat", status AS "status: ExportStatus", run, upload_id, job_id,
                  expires_at, cleared_at
           FROM exports WHERE tenant_id = $1 AND id = $2 FOR UPDATE"#,
        tenant.0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row.filter(|row| row.cleared_at.is_none()) else { return Ok(Retreat::Settled) };
    let job = JobId(row.job_id);
    let at_work = |status| matches!(status, ExportStatus::Queued | ExportStatus::Running);
    match row.status {
        ExportStatus::Completed if row.expires_at.is_some_and(|at| at <= now) => {
            settle(tx, id, ExportStatus::Expired).await?;
        }
        ExportStatus::Completed => return Ok(Retreat::Settled),
        ExportStatus::Queued | ExportStatus::Running => match status_of(tx.conn(), job).await? {
            status if at_work(status) => return Ok(Retreat::Settled),
            ended => settle(tx, id, ended).await?,
        },
        // A run that is at it could bring its file after we have looked.
        ExportStatus::Removed if at_work(status_of(tx.conn(), job).await?) => return Ok(Retreat::Wait),
        ExportStatus::Failed | ExportStatus::Cancelled | ExportStatus::Expired | ExportStatus::Removed => {}
    }
    let key = key(tenant, id, row.run, row.format)?;
    Ok(Retreat::Clear(Leftover { key, upload: row.upload_id.map(UploadId) }))
}

async fn settle(tx: &mut TenantTx, id: ExportId, status: ExportStatus) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let failure = (status == ExportStatus::Failed).then_some(JOB_DISCARDED);
    sqlx::query!(
        "UPDATE exports SET status = $3, failure = $4, updated_at = $5 WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        status as ExportStatus,
        failure,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that nothing of an export is left.
pub async fn cleared(tx: &mut TenantTx, id: ExportId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    // No row: its job was brought back to life meanwhile, and it is not over any more.
    let row = sqlx::query!(
        r#"UPDATE exports SET cleared_at = $3, upload_id = NULL
           WHERE tenant_id = $1 AND id = $2 AND status IN ('failed', 'cancelled', 'expired', 'removed')
           RETURNING personal, status AS "status: ExportStatus""#,
        tenant.0,
        id.0,
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    // What failed or was cancelled may be tried again, and needs its key then.
    let for_good = |status| matches!(status, ExportStatus::Expired | ExportStatus::Removed);
    if row.is_some_and(|row| row.personal && for_good(row.status)) {
        Vault::destroy(tx, file_key(id)).await?;
    }
    Ok(())
}

/// Enqueues the clearing of every export that is over and not cleared, whatever became of the job that was to do it;
/// gives how many.
pub async fn sweep(tx: &mut SystemTx) -> Result<usize> {
    let now = tx.now();
    let rows = sqlx::query!(
        r#"SELECT tenant_id, id AS "id: ExportId", job_id, status AS "status: ExportStatus" FROM exports
           WHERE cleared_at IS NULL
             AND (status = 'completed' AND expires_at <= $1 OR status <> 'completed' AND updated_at <= $2)
           ORDER BY updated_at LIMIT $3"#,
        now,
        now - GRACE,
        SWEPT_AT_ONCE,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found = 0;
    for row in rows {
        if matches!(row.status, ExportStatus::Queued | ExportStatus::Running) {
            let status = status_of(tx.conn(), JobId(row.job_id)).await?;
            if matches!(status, ExportStatus::Queued | ExportStatus::Running) {
                continue;
            }
        }
        let job = NewJob::of(&ClearExport { export_id: row.id })?.tenant(row.tenant_id);
        tx.enqueue(job.unique(Unique::until_finished(format!("sweep {}", row.id)))).await?;
        found += 1;
    }
    Ok(found)
}

/// Those of these uploads that some attempt has noted.
pub async fn known_uploads(tx: &mut SystemTx, uploads: &[String]) -> Result<HashSet<String>> {
    let known = sqlx::query_scalar!(
        r#"SELECT upload_id AS "upload_id!" FROM exports WHERE upload_id = ANY($1) AND cleared_at IS NULL"#,
        uploads,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(known.into_iter().collect())
}

/// Forgets the exports of which nothing has been left for ninety days; gives how many.
pub async fn forget(tx: &mut SystemTx) -> Result<usize> {
    let before = tx.now() - REMEMBERED;
    let gone = sqlx::query_scalar!("DELETE FROM exports WHERE cleared_at < $1 RETURNING id", before)
        .fetch_all(tx.conn())
        .await?;
    Ok(gone.len())
}
