//! One attempt at writing an export, from its begin to its end. An attempt that another has overtaken ends nothing.

use chrono::Duration;
use chrono_tz::Tz;
use permanence_queue::NewJob;
use sqlx::types::Json;

use super::{
    ExportFormat, ExportKind, ExportStatus, Filters, Leftover, Profile, export::key, jobs::ClearExport,
};
use crate::{
    db::TenantTx,
    error::Result,
    ids::ExportId,
    scheduling::practice_zone,
    storage::{ObjectKey, UploadId},
};

/// How long a file can be fetched.
pub const LIFE: Duration = Duration::hours(24);

/// What to do about an export.
#[derive(Debug)]
pub enum Start {
    /// Write it.
    Write(Box<Draft>),
    /// Nothing: it is there, or it is over.
    Settled,
}

/// What an attempt writes, and where.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The export.
    pub id: ExportId,
    /// Of what.
    pub kind: ExportKind,
    /// As what.
    pub format: ExportFormat,
    /// How CSV is written; none for a workbook.
    pub profile: Option<Profile>,
    /// Limited to what.
    pub filters: Filters,
    /// What its file is called, but for the end.
    pub stem: String,
    /// The practice's clocks.
    pub zone: Tz,
    /// Which attempt.
    pub run: i32,
    /// Where its file will lie.
    pub key: ObjectKey,
    /// What the attempt before may have left.
    pub left: Option<Leftover>,
}

/// A file that is in the object store.
#[derive(Debug, Clone)]
pub struct Written {
    /// Rows, headings aside.
    pub rows: i64,
    /// Its size.
    pub size_bytes: i64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// Begins an attempt: whoever was at it before can end it no more.
pub async fn begin(tx: &mut TenantTx, id: ExportId) -> Result<Start> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let row = sqlx::query!(
        r#"SELECT kind, format AS "format: ExportFormat", profile AS "profile: Profile",
                  filters AS "filters: Json<Filters>", status AS "status: ExportStatus", file_stem, run,
                  upload_id
           FROM exports WHERE tenant_id = $1 AND id = $2 FOR UPDATE"#,
        tenant.0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(Start::Settled) };
    if matches!(row.status, ExportStatus::Completed | ExportStatus::Expired | ExportStatus::Removed) {
        return Ok(Start::Settled);
    }
    let run = row.run + 1;
    sqlx::query!(
        "UPDATE exports SET status = 'running', run = $3, upload_id = NULL, failure = NULL, cleared_at = NULL,
                            updated_at = $4
         WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        run,
        now,
    )
    .execute(tx.conn())
    .await?;
    let left = match row.run {
        0 => None,
        before => {
            let key = key(tenant, id, before, row.format)?;
            Some(Leftover { key, upload: row.upload_id.map(UploadId) })
        }
    };
    let kind = ExportKind::named(&row.kind)?;
    Ok(Start::Write(Box::new(Draft {
        id,
        kind,
        format: row.format,
        profile: row.profile,
        filters: row.filters.0,
        stem: row.file_stem.unwrap_or_else(|| kind.kind().name.to_owned()),
        zone: practice_zone(tx).await?,
        run,
        key: key(tenant, id, run, row.format)?,
        left,
    })))
}

/// Notes the upload that an attempt is about to use; false if it is not its turn any more.
pub async fn note_upload(tx: &mut TenantTx, draft: &Draft, upload: &UploadId) -> Result<bool> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let noted = sqlx::query!(
        "UPDATE exports SET upload_id = $4, updated_at = $5
         WHERE tenant_id = $1 AND id = $2 AND run = $3 AND status = 'running'",
        tenant.0,
        draft.id.0,
        draft.run,
        upload.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// What it came to that an attempt has a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The export is there now.
    Now,
    /// It was there already: an earlier commit whose answer was lost.
    Already,
    /// It is not the attempt's turn any more.
    Overtaken,
}

/// Notes that the file is there, and plans its end.
pub async fn complete(tx: &mut TenantTx, draft: &Draft, written: &Written) -> Result<End> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let expires_at = now + LIFE;
    let completed = sqlx::query!(
        "UPDATE exports SET status = 'completed', upload_id = NULL, rows = $4, size_bytes = $5, sha256 = $6,
                            completed_at = $7, expires_at = $8, updated_at = $7
         WHERE tenant_id = $1 AND id = $2 AND run = $3 AND status = 'running'",
        tenant.0,
        draft.id.0,
        draft.run,
        written.rows,
        written.size_bytes,
        written.sha256.as_slice(),
        now,
        expires_at,
    )
    .execute(tx.conn())
    .await?;
    if completed.rows_affected() == 1 {
        tx.enqueue(NewJob::of(&ClearExport { export_id: draft.id })?.run_at(expires_at)).await?;
        return Ok(End::Now);
    }
    let there = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM exports WHERE tenant_id = $1 AND id = $2 AND run = $3 AND status = 'completed')
           AS "there!""#,
        tenant.0,
        draft.id.0,
        draft.run,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(if there { End::Already } else { End::Overtaken })
}

/// Notes that the export came to nothing, by this failure or because it was cancelled; false if another attempt is at it or
/// somebody removed it.
pub async fn end(tx: &mut TenantTx, draft: &Draft, failure: Option<&str>) -> Result<bool> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let ended = sqlx::query!(
        "UPDATE exports SET status = CASE WHEN $4::text IS NULL THEN 'cancelled' ELSE 'failed' END, failure = $4,
                            updated_at = $5
         WHERE tenant_id = $1 AND id = $2 AND run = $3 AND status = 'running'",
        tenant.0,
        draft.id.0,
        draft.run,
        failure,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(ended.rows_affected() == 1)
}

impl ExportFormat {
    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Zip => "zip",
            Self::Xlsx => "xlsx",
            Self::Txt => "txt",
        }
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Zip => "application/zip",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Txt => "text/plain; charset=utf-8",
        }
    }
}

impl Draft {
    /// Refuses more rows than the format holds.
    pub fn check_rows(&self, rows: i64) -> Result<(), &'static str> {
        super::request::check_rows(self.format, rows).map_err(|problem| problem.code)
    }
}
