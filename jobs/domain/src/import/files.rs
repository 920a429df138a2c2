//! The dump and the backup of a migration: sealed in the object store, opened by few, and ended when their time is over, when the
//! practice wants it, or when somebody is erased. Whoever ends them destroys their keys; a job removes the objects.

use chrono::Duration;
use permanence_queue::{JobId, NewJob};

use super::{AREA, MigrationStatus, Stage, jobs::ClearMigration};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    identity::{Role, Scope},
    ids::{MigrationId, TenantId, UserId},
    storage::ObjectKey,
    vault::{ContentKey, KeyClass, Place, Sealed, Subject, Vault},
};

/// A file of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationFile {
    /// What was handed in.
    Dump,
    /// What the practice held before, as JSON Lines; what is medical is sealed in it as it was.
    Backup,
}

impl MigrationFile {
    fn place(self, tenant: TenantId, id: MigrationId) -> Place {
        let table = match self {
            Self::Dump => "data_migrations/dump",
            Self::Backup => "data_migrations/backup",
        };
        Place { tenant, table, row: id.0, version: 1 }
    }
}

/// Under the practice's own key: a dump names many patients.
fn subject(tenant: TenantId) -> Subject {
    Subject { id: tenant.0, class: KeyClass::Personal }
}

/// The key of a file, as it is kept.
pub(super) async fn keep_key(
    tx: &mut TenantTx,
    vault: &Vault,
    id: MigrationId,
    file: MigrationFile,
    key: &ContentKey,
) -> Result<Vec<u8>> {
    let tenant = tx.tenant();
    let own = vault.writing(tx, subject(tenant)).await?;
    Ok(key.sealed(&own, &file.place(tenant, id))?.0)
}

/// A key as it was kept.
pub(super) async fn open_key(
    tx: &mut TenantTx,
    vault: &Vault,
    id: MigrationId,
    file: MigrationFile,
    kept: Vec<u8>,
) -> Result<ContentKey> {
    let tenant = tx.tenant();
    let own = vault.reading(tx, subject(tenant)).await?;
    ContentKey::opened(&own, &file.place(tenant, id), &Sealed(kept))
}

/// A file that may be read.
#[derive(Debug)]
pub struct MigrationContent {
    /// Where it lies.
    pub object: ObjectKey,
    /// What opens it.
    pub key: ContentKey,
}

/// Where a file lies and what opens it. A dump holds what is medical: it is for whoever handed it in, and for those who read
/// records. That it was read is in the audit trail.
pub async fn read_file(
    tx: &mut TenantTx,
    role: Role,
    vault: &Vault,
    id: MigrationId,
    file: MigrationFile,
) -> Result<MigrationContent> {
    let row = sqlx::query!(
        r#"SELECT dump_object, dump_key, backup_object, backup_key, created_by AS "created_by: UserId"
           FROM data_migrations WHERE tenant_id = $1 AND id = $2"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("migration"))?;
    let theirs = row.created_by.is_some() && row.created_by == tx.actor().user;
    if file == MigrationFile::Dump && !theirs && !role.may(Scope::RecordsRead) {
        return Err(Error::Forbidden(Scope::RecordsRead.as_str()));
    }
    let (object, kept, action) = match file {
        MigrationFile::Dump => (row.dump_object, row.dump_key, "migration.read_dump"),
        MigrationFile::Backup => (row.backup_object, row.backup_key, "migration.read_backup"),
    };
    let gone = || {
        Error::conflict("migration_file_ended", "it was never written, or it has ended: see the migration")
    };
    let key = open_key(tx, vault, id, file, kept.ok_or_else(gone)?).await?;
    audit::record(tx, action, "data_migration", id.0).await?;
    Ok(MigrationContent { object: ObjectKey::parse(&object)?, key })
}

/// Ends the files of a migration, twice like once. One that waits or is at work is given up with them.
pub async fn end_files(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    // Whoever applies it holds the row, perhaps for long: nobody waits for that.
    let row = sqlx::query!(
        r#"SELECT status AS "status: MigrationStatus", job_id, files_ended_at FROM data_migrations
           WHERE tenant_id = $1 AND id = $2 FOR UPDATE SKIP LOCKED"#,
        tenant.0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else {
        super::get(tx, id).await?;
        let detail = "it is being moved in at this moment: ask again when that has ended";
        return Err(Error::conflict("migration_at_work", detail));
    };
    if row.files_ended_at.is_some() {
        return Ok(());
    }
    if matches!(row.status, MigrationStatus::Pending | MigrationStatus::Running) {
        tx.cancel_job(JobId(row.job_id)).await?;
        // A run that goes on nevertheless finds its migration over, and can neither stage nor apply.
        sqlx::query!(
            "UPDATE data_migrations SET status = 'failed', failure = 'withdrawn', finished_at = $3
             WHERE tenant_id = $1 AND id = $2",
            tenant.0,
            id.0,
            now,
        )
        .execute(tx.conn())
        .await?;
        Stage { migration: id, run: 0 }.clear(tx).await?;
    }
    end(tx, id).await?;
    audit::record(tx, "migration.end_files", "data_migration", id.0).await
}

/// Destroys the keys of a migration's files, and has the objects removed.
pub(super) async fn end(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let ended = sqlx::query!(
        "UPDATE data_migrations SET dump_key = NULL, backup_key = NULL, files_ended_at = $3
         WHERE tenant_id = $1 AND id = $2 AND files_ended_at IS NULL",
        tenant.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    if ended.rows_affected() == 1 {
        tx.enqueue(NewJob::of(&ClearMigration { migration_id: id })?).await?;
    }
    Ok(())
}

/// Has the files of a migration that has just ended kept for its days, and ended then.
pub(super) async fn keep(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let days = sqlx::query_scalar!(
        "SELECT keep_days FROM data_migrations WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0
    )
    .fetch_one(tx.conn())
    .await?;
    let until = now + Duration::days(i64::from(days));
    sqlx::query!(
        "UPDATE data_migrations SET files_kept_until = $3 WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        until,
    )
    .execute(tx.conn())
    .await?;
    tx.enqueue(NewJob::of(&ClearMigration { migration_id: id })?.run_at(until)).await?;
    Ok(())
}

/// The objects of a migration that are to be removed now; those whose time is over end with this. `None` where nothing is to be
/// done, or not yet.
pub async fn leftovers(tx: &mut TenantTx, id: MigrationId) -> Result<Option<Vec<ObjectKey>>> {
    let now = tx.now();
    let row = sqlx::query!(
        r#"SELECT dump_object, backup_object, files_ended_at FROM data_migrations
           WHERE tenant_id = $1 AND id = $2 AND files_removed_at IS NULL
             AND (files_ended_at IS NOT NULL OR files_kept_until <= $3) FOR UPDATE"#,
        tx.tenant().0,
        id.0,
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.files_ended_at.is_none() {
        end(tx, id).await?;
    }
    Ok(Some(vec![ObjectKey::parse(&row.dump_object)?, ObjectKey::parse(&row.backup_object)?]))
}

/// Notes that the objects are gone; twice is the same as once.
pub async fn removed(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE data_migrations SET files_removed_at = coalesce(files_removed_at, $3)
         WHERE tenant_id = $1 AND id = $2 AND files_ended_at IS NOT NULL",
        tenant.0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes of every migration whose dump is among these objects, all of which are gone, that its files are.
pub(crate) async fn objects_removed(tx: &mut TenantTx, objects: &[ObjectKey]) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let objects: Vec<String> = objects.iter().map(|object| object.as_str().to_owned()).collect();
    sqlx::query!(
        "UPDATE data_migrations SET files_removed_at = $3
         WHERE tenant_id = $1 AND dump_object = ANY($2) AND files_ended_at IS NOT NULL AND files_removed_at IS NULL",
        tenant.0,
        &objects,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many migrations of the practice wait or are at work: what they bring may name anybody.
pub(crate) async fn at_work(tx: &mut TenantTx) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM data_migrations
           WHERE tenant_id = $1 AND status IN ('pending', 'running')"#,
        tx.tenant().0,
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Ends the files of every migration that has ended, for somebody is erased whom any of them may name; and takes what was read of
/// people out of the reports of faults. Gives how many had files.
pub(crate) async fn end_for_erasure(tx: &mut TenantTx) -> Result<usize> {
    let tenant = tx.tenant();
    let living = sqlx::query_scalar!(
        r#"SELECT id AS "id: MigrationId" FROM data_migrations
           WHERE tenant_id = $1 AND files_ended_at IS NULL AND status NOT IN ('pending', 'running')
           ORDER BY id FOR UPDATE"#,
        tenant.0,
    )
    .fetch_all(tx.conn())
    .await?;
    for id in &living {
        end(tx, *id).await?;
        audit::record(tx, "migration.end_files", "data_migration", id.0).await?;
    }
    sqlx::query!(
        r#"UPDATE data_migrations
           SET faults = (SELECT coalesce(jsonb_agg(fault - 'read'), '[]') FROM jsonb_array_elements(faults) AS fault)
           WHERE tenant_id = $1 AND jsonb_path_exists(faults, '$[*].read')"#,
        tenant.0,
    )
    .execute(tx.conn())
    .await?;
    Ok(living.len())
}

/// The objects of the practice's migrations that nobody has noted as removed; of all of them, or of those that were ended.
pub async fn files_left(tx: &mut TenantTx, only_ended: bool) -> Result<Vec<ObjectKey>> {
    let objects = sqlx::query_scalar!(
        r#"SELECT object AS "object!" FROM data_migrations
           CROSS JOIN LATERAL (VALUES (dump_object), (backup_object)) AS o (object)
           WHERE tenant_id = $1 AND files_removed_at IS NULL AND (files_ended_at IS NOT NULL OR NOT $2)
             AND (object = dump_object OR backed_up_at IS NOT NULL)"#,
        tx.tenant().0,
        only_ended,
    )
    .fetch_all(tx.conn())
    .await?;
    objects.iter().map(|object| ObjectKey::parse(object)).collect()
}

/// Where a run writes the backup: each has an object of its own, so that what a dead one left meets no key.
pub(super) fn backup_object(tenant: TenantId, id: MigrationId, run: i32) -> Result<ObjectKey> {
    ObjectKey::of(AREA, tenant, &format!("{id}-before-{run}.sealed"))
}
