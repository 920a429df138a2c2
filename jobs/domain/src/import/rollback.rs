//! Takes a migration back: what it brought goes, with the reminders that were planned for it, as if it had never come. Only
//! while nobody has built on it; the dump and the backup stay for their time.

use std::fmt::Write;

use super::{
    Migration, MigrationStatus,
    check::{join_whole, patiently},
    get,
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    ids::{AppointmentId, MigrationId},
    notifications,
    vault::Vault,
};

/// Changes that are named; others are counted.
const NAMED: i64 = 10;

/// Takes a migration back, or tells what was changed since.
pub async fn rollback(tx: &mut TenantTx, id: MigrationId) -> Result<Migration> {
    patiently(tx).await?;
    let row = sqlx::query!(
        r#"SELECT status AS "status: MigrationStatus", dry_run FROM data_migrations
           WHERE tenant_id = $1 AND id = $2 FOR UPDATE"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("migration"))?;
    if row.status != MigrationStatus::Completed || row.dry_run {
        let detail = "only a migration that was completed, and not as a dry run, can be taken back";
        return Err(Error::conflict("migration_not_completed", detail));
    }
    lock(tx, id).await?;
    join_whole(tx, true).await?;
    refuse_if_changed(tx, id).await?;
    join_whole(tx, false).await?;
    for appointment in planned(tx, id).await? {
        notifications::withdraw(tx, appointment, "rolled_back").await?;
    }
    join_whole(tx, true).await?;
    remove(tx, id).await.map_err(|error| match error {
        Error::Internal(cause) => in_use(cause),
        other => other,
    })?;
    join_whole(tx, false).await?;
    let now = tx.now();
    sqlx::query!(
        "UPDATE data_migrations SET status = 'rolled_back', rolled_back_at = $3 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "migration.roll_back", "data_migration", id.0).await?;
    get(tx, id).await
}

/// Something that we do not know of refers to what is to go: then it is built on.
fn in_use(cause: Box<dyn std::error::Error + Send + Sync>) -> Error {
    let foreign = |error: &sqlx::Error| {
        let database = error.as_database_error()?;
        database.is_foreign_key_violation().then(|| database.table().unwrap_or_default().to_owned())
    };
    match cause.downcast_ref::<sqlx::Error>().and_then(foreign) {
        Some(table) => Error::conflict("migration_changed", format!("something refers to it since: {table}")),
        None => Error::Internal(cause),
    }
}

/// Patients before appointments, as wherever several are locked: nobody books or changes meanwhile.
async fn lock(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    sqlx::query!(
        "SELECT p.id FROM patients p
         JOIN migration_ids m ON m.tenant_id = $1 AND m.collection = 'patients' AND m.new_id = p.id
         WHERE p.tenant_id = $1 AND m.migration_id = $2 ORDER BY p.id FOR UPDATE OF p",
        tx.tenant().0,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!(
        "SELECT a.id FROM appointments a
         JOIN migration_ids m ON m.tenant_id = $1 AND m.collection = 'appointments' AND m.new_id = a.id
         WHERE a.tenant_id = $1 AND m.migration_id = $2 ORDER BY a.id FOR UPDATE OF a",
        tx.tenant().0,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!(
        "SELECT r.id FROM medical_records r
         JOIN migration_ids m ON m.tenant_id = $1 AND m.collection = 'medical_records' AND m.new_id = r.id
         WHERE r.tenant_id = $1 AND m.migration_id = $2 ORDER BY r.id FOR NO KEY UPDATE OF r",
        tx.tenant().0,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(())
}

async fn refuse_if_changed(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    let rows = sqlx::query!(
        r#"WITH brought AS (
               SELECT collection, new_id FROM migration_ids WHERE tenant_id = $1 AND migration_id = $2
           ), changed AS (
               SELECT 'patient' AS what, b.new_id AS id FROM brought b
               LEFT JOIN patients p ON p.tenant_id = $1 AND p.id = b.new_id
               WHERE b.collection = 'patients' AND (p.id IS NULL OR p.version <> 1 OR p.deleted_at IS NOT NULL)
               UNION ALL
               SELECT 'appointment', b.new_id FROM brought b
               LEFT JOIN appointments a ON a.tenant_id = $1 AND a.id = b.new_id
               WHERE b.collection = 'appointments' AND (a.id IS NULL OR a.version <> 1 OR a.confirmed_at IS NOT NULL)
               UNION ALL
               SELECT 'availability entry', b.new_id FROM brought b
               LEFT JOIN availability_entries e ON e.tenant_id = $1 AND e.id = b.new_id
               WHERE b.collection = 'availability' AND (e.id IS NULL OR e.version <> 1)
               UNION ALL
               SELECT 'new appointment', a.id FROM appointments a
               JOIN brought b ON b.collection = 'patients' AND b.new_id = a.patient_id
               WHERE a.tenant_id = $1
                 AND NOT EXISTS (SELECT FROM brought o WHERE o.collection = 'appointments' AND o.new_id = a.id)
               UNION ALL
               SELECT 'medical record', b.new_id FROM brought b
               LEFT JOIN medical_records r ON r.tenant_id = $1 AND r.id = b.new_id
               WHERE b.collection = 'medical_records'
                 AND (r.id IS NULL OR r.retracted_at IS NOT NULL
                      OR EXISTS (SELECT FROM medical_record_versions v
                                 WHERE v.tenant_id = $1 AND v.record_id = r.id AND v.imported_at IS NULL))
               UNION ALL
               SELECT 'new medical record', r.id FROM medical_records r
               JOIN brought b ON b.collection = 'patients' AND b.new_id = r.patient_id
               WHERE r.tenant_id = $1
                 AND NOT EXISTS (SELECT FROM brought o WHERE o.collection = 'medical_records' AND o.new_id = r.id)
               UNION ALL
               SELECT 'message', s.id FROM messages s
               JOIN brought b ON b.collection = 'appointments' AND b.new_id = s.appointment_id
               WHERE s.tenant_id = $1 AND s.status NOT IN ('planned', 'cancelled')
               UNION ALL
               SELECT 'invoice', i.id FROM invoices i
               JOIN brought b ON b.collection = 'patients' AND b.new_id = i.patient_id
               WHERE i.tenant_id = $1
           )
           SELECT what AS "what!", id AS "id!", count(*) OVER () AS "count!" FROM changed ORDER BY what, id LIMIT $3"#,
        tx.tenant().0,
        id.0,
        NAMED,
    )
    .fetch_all(tx.conn())
    .await?;
    let Some(first) = rows.first() else { return Ok(()) };
    let mut detail = format!("{} change(s) since:", first.count);
    for row in &rows {
        // Writing into a text does not fail.
        let _ = write!(detail, " {} {};", row.what, row.id);
    }
    Err(Error::conflict("migration_changed", detail))
}

/// The appointments for which something is planned to be said.
async fn planned(tx: &mut TenantTx, id: MigrationId) -> Result<Vec<AppointmentId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT s.appointment_id AS "id: AppointmentId" FROM messages s
           JOIN migration_ids m ON m.tenant_id = $1 AND m.collection = 'appointments' AND m.new_id = s.appointment_id
           WHERE s.tenant_id = $1 AND m.migration_id = $2 AND s.status = 'planned'"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Removes what a migration brought; what refers to a row goes before it. The keys of its patients are destroyed: in a backup of
/// the database too nothing of their records opens any more.
async fn remove(tx: &mut TenantTx, id: MigrationId) -> Result<()> {
    let tenant = tx.tenant().0;
    let patients = sqlx::query_scalar!(
        "SELECT new_id FROM migration_ids WHERE tenant_id = $1 AND migration_id = $2 AND collection = 'patients'",
        tenant,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    Vault::destroy_all(tx, &patients).await?;
    macro_rules! each {
        ($($statement:literal),+ $(,)?) => {$(
            sqlx::query!($statement, tenant, id.0).execute(tx.conn()).await?;
        )+};
    }
    each!(
        "DELETE FROM message_events e USING messages s, migration_ids m
         WHERE e.tenant_id = $1 AND s.tenant_id = $1 AND s.id = e.message_id
           AND m.tenant_id = $1 AND m.migration_id = $2 AND m.new_id = s.appointment_id",
        "DELETE FROM messages s USING migration_ids m
         WHERE s.tenant_id = $1 AND m.tenant_id = $1 AND m.migration_id = $2 AND m.new_id = s.appointment_id",
        "DELETE FROM appointments a USING migration_ids m
         WHERE a.tenant_id = $1 AND m.tenant_id = $1 AND m.migration_id = $2 AND m.new_id = a.id",
        "DELETE FROM medical_record_versions v USING migration_ids m
         WHERE v.tenant_id = $1 AND m.tenant_id = $1 AND m.migration_id = $2 AND m.new_id = v.record_id",
        "DELETE FROM medical_records r USING migration_ids m
         WHERE r.tenant_id = $1 AND m.tenant_id = $1 AND m.migration_id = $2 AND m.new_id = r.id",
        "DELETE FROM availability_entries e USING migration_ids m
         WHERE e.tenant_id = $1 AND m.tenant_id = $1 AND m.migration_id = $2 AND m.new_id = e.id",
        "DELETE FROM patient_consents c USING migration_ids m
         WHERE c.tenant_id = $1 AND m.tenant_id = $1 AND m.migration_id = $2 AND m.new_id = c.patient_id",
        "DELETE FROM patients p USING migration_ids m
         WHERE p.tenant_id = $1 AND m.tenant_id = $1 AND m.migration_id = $2 AND m.new_id = p.id",
        "DELETE FROM migration_ids WHERE tenant_id = $1 AND migration_id = $2",
    );
    Ok(())
}
