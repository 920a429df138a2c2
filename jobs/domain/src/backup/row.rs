//! What is noted of each backup while it is written and after. One that another has overtaken ends nothing.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::Manifest;
use crate::{
    db::SystemTx,
    error::{Error, Result},
    ids::BackupId,
    storage::UploadId,
};

/// A backup that was begun.
#[derive(Debug)]
pub struct Begun {
    /// The backup.
    pub id: BackupId,
    /// What those before left that never ended.
    pub left: Vec<Left>,
}

/// What a backup that never ended may have left in the store.
#[derive(Debug)]
pub struct Left {
    /// The backup.
    pub id: BackupId,
    /// Its upload.
    pub upload: Option<UploadId>,
}

/// Begins a backup. Those that still count as running are over: there is one at a time.
pub async fn begin(tx: &mut SystemTx) -> Result<Begun> {
    let now = tx.now();
    let left = sqlx::query!(
        r#"UPDATE backups SET status = 'failed', ended_at = $1, error = 'interrupted' WHERE status = 'running'
           RETURNING id AS "id: BackupId", upload_id"#,
        now
    )
    .map(|row| Left { id: row.id, upload: row.upload_id.map(UploadId) })
    .fetch_all(tx.conn())
    .await?;
    let id = BackupId::new(now);
    sqlx::query!("INSERT INTO backups (id, started_at) VALUES ($1, $2)", id.0, now)
        .execute(tx.conn())
        .await?;
    Ok(Begun { id, left })
}

/// Notes the upload that a backup is about to use; false if another backup has begun meanwhile.
pub async fn note_upload(tx: &mut SystemTx, id: BackupId, upload: &UploadId) -> Result<bool> {
    let noted = sqlx::query!(
        "UPDATE backups SET upload_id = $2 WHERE id = $1 AND status = 'running'",
        id.0,
        upload.0
    )
    .execute(tx.conn())
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Notes that a backup is whole and was read back; false if another backup has begun meanwhile.
pub async fn complete(tx: &mut SystemTx, manifest: &Manifest) -> Result<bool> {
    let sha256 = hex::decode(&manifest.sha256).map_err(Error::internal)?;
    let completed = sqlx::query!(
        "UPDATE backups SET status = 'completed', upload_id = NULL, ended_at = $2, size_bytes = $3, sha256 = $4, key_id = $5
         WHERE id = $1 AND status = 'running'",
        manifest.id.0,
        manifest.ended_at,
        manifest.size_bytes,
        sha256,
        manifest.key_id,
    )
    .execute(tx.conn())
    .await?;
    Ok(completed.rows_affected() == 1)
}

/// Notes that a backup came to nothing; one that is over already stays as it is.
pub async fn fail(tx: &mut SystemTx, id: BackupId, error: &str) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "UPDATE backups SET status = 'failed', ended_at = $2, error = $3 WHERE id = $1 AND status = 'running'",
        id.0,
        now,
        error
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that a backup was removed from the store; one that this database never knew leaves no trace.
pub async fn note_removed(tx: &mut SystemTx, id: BackupId) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "UPDATE backups SET status = 'removed', removed_at = $2 WHERE id = $1 AND status = 'completed'",
        id.0,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that a backup was restored somewhere and found to hold what the database held; false if this database does not know it.
pub async fn note_verified(tx: &mut SystemTx, id: BackupId) -> Result<bool> {
    let now = tx.now();
    let noted =
        sqlx::query!("UPDATE backups SET verified_at = $2 WHERE id = $1 AND status = 'completed'", id.0, now)
            .execute(tx.conn())
            .await?;
    Ok(noted.rows_affected() == 1)
}

/// The last backup that is whole.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastBackup {
    /// Identifier.
    pub id: BackupId,
    /// When it was begun: nothing that came later is in it.
    pub started_at: DateTime<Utc>,
    /// When it was whole and read back.
    pub ended_at: DateTime<Utc>,
    /// Its age from its begin, seconds.
    pub age_seconds: f64,
    /// Of the sealed object.
    pub size_bytes: i64,
    /// When it was restored somewhere and compared; none if it never was.
    pub verified_at: Option<DateTime<Utc>>,
}

/// The last backup that is whole; none before the first.
pub async fn last_backup(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Option<LastBackup>> {
    Ok(sqlx::query!(
        r#"SELECT id AS "id: BackupId", started_at, ended_at AS "ended_at!", size_bytes AS "size_bytes!", verified_at
           FROM backups WHERE status = 'completed' ORDER BY ended_at DESC LIMIT 1"#
    )
    .map(|row| LastBackup {
        id: row.id,
        started_at: row.started_at,
        ended_at: row.ended_at,
        age_seconds: (now - row.started_at).as_seconds_f64(),
        size_bytes: row.size_bytes,
        verified_at: row.verified_at,
    })
    .fetch_optional(conn)
    .await?)
}
