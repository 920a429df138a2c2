//! What a practice held before a migration, row by row as JSON, one line each: enough to see what was there, whatever happens.
//! What is medical is in it as it lies in the table, sealed.

use super::{MigrationFile, Stage, files};
use crate::{
    db::TenantTx,
    error::Result,
    storage::ObjectKey,
    vault::{ContentKey, Vault},
};

/// The statement that writes the rows of the tables that a migration touches. JSON holds neither of the two control
/// characters, so its lines come out as they are.
pub const BACKUP: &str = concat!(
    "COPY (SELECT jsonb_build_object('table', 'patients', 'row', to_jsonb(p)) FROM patients p ",
    "WHERE p.tenant_id = current_tenant() ",
    "UNION ALL SELECT jsonb_build_object('table', 'patient_consents', 'row', to_jsonb(c)) FROM patient_consents c ",
    "WHERE c.tenant_id = current_tenant() ",
    "UNION ALL SELECT jsonb_build_object('table', 'appointments', 'row', to_jsonb(a)) FROM appointments a ",
    "WHERE a.tenant_id = current_tenant() ",
    "UNION ALL SELECT jsonb_build_object('table', 'availability', 'row', to_jsonb(e)) FROM availability_entries e ",
    "WHERE e.tenant_id = current_tenant() ",
    "UNION ALL SELECT jsonb_build_object('table', 'medical_records', 'row', to_jsonb(r)) FROM medical_records r ",
    "WHERE r.tenant_id = current_tenant() ",
    "UNION ALL SELECT jsonb_build_object('table', 'medical_record_versions', 'row', to_jsonb(v)) ",
    "FROM medical_record_versions v WHERE v.tenant_id = current_tenant()) ",
    r"TO STDOUT WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')"
);

/// A backup, sealed: where it lies and what opens it.
#[derive(Debug)]
pub struct Backup {
    /// Where.
    pub object: ObjectKey,
    /// What opens it.
    pub key: ContentKey,
}

/// Notes that the backup is in the object store.
pub async fn note_backup(tx: &mut TenantTx, vault: &Vault, stage: Stage, backup: &Backup) -> Result<()> {
    stage.hold(tx).await?;
    let now = tx.now();
    let kept = files::keep_key(tx, vault, stage.migration, MigrationFile::Backup, &backup.key).await?;
    sqlx::query!(
        "UPDATE data_migrations SET backed_up_at = $3, backup_object = $4, backup_key = $5
         WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        stage.migration.0,
        now,
        backup.object.as_str(),
        kept,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
