//! An export as its tenant sees it: listed, read, fetched, removed.

use chrono::{DateTime, Utc};
use permanence_queue::{JobId, NewJob, find_job};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use utoipa::ToSchema;

use super::{AREA, ExportFormat, ExportKind, Filters, Profile, jobs::ClearExport};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    ids::{ExportId, TenantId, UserId},
    page::{Page, PageQuery},
    storage::ObjectKey,
};

/// How an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ExportStatus {
    /// It waits for a worker, or for another attempt.
    Queued,
    /// It is being written.
    Running,
    /// It can be fetched.
    Completed,
    /// It could not be written.
    Failed,
    /// Its job was cancelled.
    Cancelled,
    /// Its time is over, and its file is gone.
    Expired,
    /// Somebody removed it: from now on it does not exist.
    Removed,
}

/// An export.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Export {
    /// Identifier.
    pub id: ExportId,
    /// Of what.
    pub kind: ExportKind,
    /// As what.
    pub format: ExportFormat,
    /// How CSV is written; none for a workbook and for accounting entries.
    pub profile: Option<Profile>,
    /// Limited to what.
    pub filters: Filters,
    /// How it stands.
    pub status: ExportStatus,
    /// The job that writes it, and tells how far it is.
    pub job_id: i64,
    /// Rows, headings aside.
    pub rows: Option<i64>,
    /// Size of the file.
    pub size_bytes: Option<i64>,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Who asked first.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was there.
    pub completed_at: Option<DateTime<Utc>>,
    /// When its file and every link to it end.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What to fetch, until when.
#[derive(Debug, Clone)]
pub struct Download {
    /// Where it lies.
    pub key: ObjectKey,
    /// What it is called on the caller's side.
    pub file_name: String,
    /// How long it may be fetched.
    pub life: std::time::Duration,
}

/// Which page of exports, the newest first.
pub type ExportQuery = PageQuery;

struct Row {
    id: ExportId,
    kind: String,
    format: ExportFormat,
    profile: Option<Profile>,
    filters: Json<Filters>,
    status: ExportStatus,
    job_id: i64,
    file_stem: Option<String>,
    run: i32,
    rows: Option<i64>,
    size_bytes: Option<i64>,
    sha256: Option<Vec<u8>>,
    failure: Option<String>,
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    total: i64,
}

/// The columns of [`Row`]; those that somebody removed do not exist.
macro_rules! select_exports {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: ExportId", kind, format AS "format: ExportFormat", profile AS "profile: Profile",
                      filters AS "filters: Json<Filters>", status AS "status: ExportStatus", job_id, file_stem,
                      run, rows, size_bytes, sha256, failure, created_by AS "created_by: UserId", created_at, completed_at,
                      expires_at, count(*) OVER () AS "total!"
               FROM exports WHERE status <> 'removed' AND "#
                + $rest,
            $($argument),*
        )
    };
}

impl Row {
    /// The export as it stands at this moment: a job may have ended without telling its export, and a time be over
    /// before its job is.
    async fn now(self, tx: &mut TenantTx) -> Result<Export> {
        let over = self.expires_at.is_some_and(|at| at <= tx.now());
        let status = match self.status {
            ExportStatus::Queued | ExportStatus::Running => status_of(tx.conn(), JobId(self.job_id)).await?,
            ExportStatus::Completed if over => ExportStatus::Expired,
            status => status,
        };
        let ended = status == ExportStatus::Failed;
        Ok(Export {
            id: self.id,
            kind: ExportKind::named(&self.kind)?,
            format: self.format,
            profile: self.profile,
            filters: self.filters.0,
            status,
            job_id: self.job_id,
            rows: self.rows,
            size_bytes: self.size_bytes,
            sha256: self.sha256.map(hex::encode),
            failure: self.failure.or_else(|| ended.then(|| JOB_DISCARDED.to_owned())),
            created_by: self.created_by,
            created_at: self.created_at,
            completed_at: self.completed_at,
            expires_at: self.expires_at,
        })
    }
}

/// The failure of an export whose job was given up.
pub(super) const JOB_DISCARDED: &str = "job_discarded";

/// How an export stands that has not ended itself, by its job.
pub(super) async fn status_of(conn: &mut PgConnection, job: JobId) -> Result<ExportStatus> {
    let job = find_job(conn, job).await?;
    Ok(match job.as_ref().map(|job| job.state.as_str()) {
        Some("running") => ExportStatus::Running,
        Some("scheduled" | "available" | "retryable") => ExportStatus::Queued,
        Some("cancelled") => ExportStatus::Cancelled,
        _ => ExportStatus::Failed,
    })
}

/// The exports, the newest first.
pub async fn list(tx: &mut TenantTx, query: ExportQuery) -> Result<Page<Export>> {
    let tenant = tx.tenant();
    let rows = select_exports!(
        "tenant_id = $1 ORDER BY created_at DESC, id LIMIT $2 OFFSET $3",
        tenant.0,
        query.limit(),
        query.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(row.now(tx).await?);
    }
    Ok(Page::new(items, query, total))
}

/// One export.
pub async fn get(tx: &mut TenantTx, id: ExportId) -> Result<Export> {
    find(tx, id).await
}

async fn row(tx: &mut TenantTx, id: ExportId) -> Result<Row> {
    let tenant = tx.tenant();
    let row = select_exports!("tenant_id = $1 AND id = $2", tenant.0, id.0).fetch_optional(tx.conn()).await?;
    row.ok_or(Error::NotFound("export"))
}

pub(super) async fn find(tx: &mut TenantTx, id: ExportId) -> Result<Export> {
    row(tx, id).await?.now(tx).await
}

pub(super) async fn by_job(tx: &mut TenantTx, job: JobId) -> Result<Option<Export>> {
    let tenant = tx.tenant();
    let row =
        select_exports!("tenant_id = $1 AND job_id = $2", tenant.0, job.0).fetch_optional(tx.conn()).await?;
    match row {
        Some(row) => row.now(tx).await.map(Some),
        None => Ok(None),
    }
}

/// Where the file of an attempt lies: each has its own, so that what one leaves behind never meets another's.
pub(super) fn key(tenant: TenantId, id: ExportId, run: i32, format: ExportFormat) -> Result<ObjectKey> {
    ObjectKey::of(AREA, tenant, &format!("{id}-{run}.{}", format.extension()))
}

/// Lets the caller fetch an export, and notes it.
pub async fn download(tx: &mut TenantTx, id: ExportId) -> Result<Download> {
    let row = row(tx, id).await?;
    let run = row.run;
    let stem = row.file_stem.clone();
    let export = row.now(tx).await?;
    let key = key(tx.tenant(), id, run, export.format)?;
    let left = export.expires_at.and_then(|at| (at - tx.now()).to_std().ok());
    match (export.status, left) {
        (ExportStatus::Completed, Some(life)) => {
            audit::record(tx, "export.download", "export", id.0).await?;
            let stem = stem.unwrap_or_else(|| {
                format!("{}-{}", export.kind.kind().name, export.created_at.format("%Y-%m-%d"))
            });
            let file_name = format!("{stem}.{}", export.format.extension());
            Ok(Download { key, file_name, life })
        }
        (ExportStatus::Queued | ExportStatus::Running, _) => {
            Err(Error::conflict("export_not_ready", "the export is being written: follow its job"))
        }
        _ => Err(Error::conflict("export_over", "the export came to nothing or its time is over: ask anew")),
    }
}

/// Removes an export at once: it exists no more, its job is stopped, and what lies in the object store goes.
pub async fn remove(tx: &mut TenantTx, id: ExportId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let job = sqlx::query_scalar!(
        "UPDATE exports SET status = 'removed', failure = NULL, cleared_at = NULL, updated_at = $3
         WHERE tenant_id = $1 AND id = $2 AND status <> 'removed' RETURNING job_id",
        tenant.0,
        id.0,
        now,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("export"))?;
    tx.cancel_job(JobId(job)).await?;
    tx.enqueue(NewJob::of(&ClearExport { export_id: id })?).await?;
    audit::record(tx, "export.remove", "export", id.0).await
}
