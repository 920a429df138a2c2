//! Staged records become rows by the rules of their areas, in one transaction, and are read again: what was written is what
//! was to be written, or nothing is.

use futures::TryStreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    Checks, ReadAgain, Report, Stage, StageKey, Table,
    check::{join_whole, patiently},
    medical::{self, CareKeys},
    read::Visit,
};
use crate::{
    db::TenantTx,
    error::{Error, Result},
    field::{EmailAddress, Phone, Reason},
    identity::Role,
    ids::PatientId,
    patients::{self, NewPatient},
    scheduling::{self, AppointmentStatus, NewEntry, adopt},
    vault::Vault,
};

/// Records that are read from the stage at once.
const BATCH: i64 = 500;

struct Staged {
    place: i64,
    old_id: String,
    content: Json<Value>,
    sealed: Option<Vec<u8>>,
}

/// Makes rows of the staged records that are not known yet, and tells how many.
pub async fn apply(
    tx: &mut TenantTx,
    (stage, key): (Stage, &StageKey),
    vault: &Vault,
    checks: &Checks,
    report: &mut Report,
) -> Result<()> {
    stage.hold(tx).await?;
    patiently(tx).await?;
    drop_known(tx, stage).await?;
    let present: Vec<Table> = report.tables.iter().map(|part| part.table).collect();
    let mut keys = CareKeys::new(vault);
    for table in Table::ALL.into_iter().filter(|table| present.contains(table)) {
        let (mut created, mut written, mut after) = (0, Sha256::new(), -1);
        loop {
            let batch = batch(tx, stage, table, after).await?;
            let Some(last) = batch.last() else { break };
            after = last.place;
            for mut staged in batch {
                if let Some(sealed) = staged.sealed.take() {
                    staged.content.0 = key.open(tx.tenant(), stage, staged.place, sealed)?;
                }
                let (new_id, line) = make(tx, table, checks, &mut keys, &staged.content.0).await?;
                note(tx, stage, table, &staged.old_id, new_id).await?;
                written.update(line);
                created += 1;
            }
        }
        join_whole(tx, true).await?;
        let read = match table {
            Table::MedicalRecords => medical::read_again(tx, &mut keys, stage).await?,
            _ => read_again(tx, stage, table).await?,
        };
        join_whole(tx, false).await?;
        if read.count != created || read.hash != written.finalize()[..] {
            return Err(Error::internal("what was moved in is not what was to be moved in"));
        }
        let part = report.of(table);
        part.created = created;
        part.checksum = Some(read.checksum);
    }
    Ok(())
}

/// Removes the records that an earlier migration brought: they make nothing.
async fn drop_known(tx: &mut TenantTx, stage: Stage) -> Result<()> {
    join_whole(tx, true).await?;
    sqlx::query!(
        "DELETE FROM migration_records r USING migration_ids m
         WHERE r.tenant_id = $1 AND r.migration_id = $2 AND r.run = $3
           AND m.tenant_id = $1 AND m.collection = r.collection AND m.old_id = r.old_id",
        tx.tenant().0,
        stage.migration.0,
        stage.run,
    )
    .execute(tx.conn())
    .await?;
    join_whole(tx, false).await
}

async fn batch(tx: &mut TenantTx, stage: Stage, table: Table, after: i64) -> Result<Vec<Staged>> {
    Ok(sqlx::query_as!(
        Staged,
        r#"SELECT place, old_id, content AS "content: Json<Value>", sealed FROM migration_records
           WHERE tenant_id = $1 AND migration_id = $2 AND run = $3 AND collection = $4 AND place > $5
           ORDER BY place LIMIT $6"#,
        tx.tenant().0,
        stage.migration.0,
        stage.run,
        table.as_str(),
        after,
        BATCH,
    )
    .fetch_all(tx.conn())
    .await?)
}

async fn note(tx: &mut TenantTx, stage: Stage, table: Table, old_id: &str, new_id: Uuid) -> Result<()> {
    sqlx::query!(
        "INSERT INTO migration_ids (tenant_id, collection, old_id, new_id, migration_id) VALUES ($1, $2, $3, $4, $5)",
        tx.tenant().0,
        table.as_str(),
        old_id,
        new_id,
        stage.migration.0,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes one row; gives its identifier, and the line that reading it again must give.
async fn make(
    tx: &mut TenantTx,
    table: Table,
    checks: &Checks,
    keys: &mut CareKeys<'_>,
    content: &Value,
) -> Result<(Uuid, Vec<u8>)> {
    match table {
        Table::Patients => {
            let new = checks.patient(content)?;
            let id = patients::register(tx, &new).await?.id.0;
            Ok((id, of_patient(id, &new)?))
        }
        Table::Appointments => {
            let visit = checks.visit(content)?;
            let patient = patient(tx, &visit.patient).await?;
            let new = visit.of(patient);
            let id = adopt(tx, &checks.settings, &new, visit.status).await?.0;
            Ok((id, of_visit(id, patient, &visit, new.reason.as_ref())?))
        }
        Table::Availability => {
            let new = checks.entry(content)?;
            // Whoever may move a practice in runs it.
            let id = scheduling::add_entry(tx, Role::Admin, &new).await?.id.0;
            Ok((id, of_entry(id, &new)?))
        }
        Table::MedicalRecords => {
            let old = checks.medical(content)?;
            let patient = patient(tx, &old.patient).await?;
            medical::make(tx, keys, patient, &old).await
        }
    }
}

async fn patient(tx: &mut TenantTx, old_id: &str) -> Result<PatientId> {
    let id = sqlx::query_scalar!(
        "SELECT new_id FROM migration_ids WHERE tenant_id = $1 AND collection = 'patients' AND old_id = $2",
        tx.tenant().0,
        old_id,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(PatientId(id))
}

/// A line of what a row says; one text for one content.
pub(super) fn line(parts: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(parts).map_err(Error::internal)
}

fn of_patient(id: Uuid, new: &NewPatient) -> Result<Vec<u8>> {
    let (email, phone) =
        (new.email.as_ref().map(EmailAddress::as_str), new.phone.as_ref().map(Phone::as_str));
    let consents = (new.consents.reminder_sms, new.consents.reminder_email);
    line(&(
        id,
        new.last_name.as_str(),
        new.first_name.as_str(),
        new.birth_date.map(|day| day.0),
        email,
        phone,
        consents,
    ))
}

fn of_visit(id: Uuid, patient: PatientId, visit: &Visit, reason: Option<&Reason>) -> Result<Vec<u8>> {
    let stands = visit.status == AppointmentStatus::Scheduled;
    let reason = reason.map(Reason::as_str);
    line(&(
        id,
        patient,
        visit.practitioner,
        visit.starts_at.timestamp(),
        visit.ends_at.timestamp(),
        stands,
        reason,
    ))
}

fn of_entry(id: Uuid, new: &NewEntry) -> Result<Vec<u8>> {
    let rule = new.rule.as_ref();
    let hours = rule.map(|rule| (i64::from(rule.weekday.get()), rule.from.minutes(), rule.to.minutes()));
    line(&(id, new.practitioner_id, hours))
}

/// Reads the rows of a table that a migration made, in the order of the dump.
#[expect(
    clippy::too_many_lines,
    reason = "three statements of one shape, each checked against its own table"
)]
async fn read_again(tx: &mut TenantTx, stage: Stage, table: Table) -> Result<ReadAgain> {
    let (tenant, migration, run) = (tx.tenant().0, stage.migration.0, stage.run);
    let (mut count, mut hash) = (0, Sha256::new());
    let mut take = |line: Vec<u8>| {
        hash.update(line);
        count += 1;
    };
    match table {
        Table::Patients => {
            let mut rows = sqlx::query!(
                "SELECT p.id, p.last_name, p.first_name, p.birth_date, p.email, p.phone, p.sms_consent, p.email_consent
                 FROM migration_ids m
                 JOIN migration_records r ON r.tenant_id = $1 AND r.migration_id = $2 AND r.run = $3
                                         AND r.collection = 'patients' AND r.old_id = m.old_id
                 JOIN patients p ON p.tenant_id = $1 AND p.id = m.new_id
                 WHERE m.tenant_id = $1 AND m.migration_id = $2 AND m.collection = 'patients' ORDER BY r.place",
                tenant,
                migration,
                run,
            )
            .fetch(tx.conn());
            while let Some(row) = rows.try_next().await? {
                let consents = (row.sms_consent, row.email_consent);
                take(line(&(
                    row.id,
                    row.last_name,
                    row.first_name,
                    row.birth_date,
                    row.email,
                    row.phone,
                    consents,
                ))?);
            }
        }
        Table::Appointments => {
            let mut rows = sqlx::query!(
                "SELECT a.id, a.patient_id, a.practitioner_id, a.starts_at, a.ends_at, a.status, a.reason
                 FROM migration_ids m
                 JOIN migration_records r ON r.tenant_id = $1 AND r.migration_id = $2 AND r.run = $3
                                         AND r.collection = 'appointments' AND r.old_id = m.old_id
                 JOIN appointments a ON a.tenant_id = $1 AND a.id = m.new_id
                 WHERE m.tenant_id = $1 AND m.migration_id = $2 AND m.collection = 'appointments' ORDER BY r.place",
                tenant,
                migration,
                run,
            )
            .fetch(tx.conn());
            while let Some(row) = rows.try_next().await? {
                let times = (row.starts_at.timestamp(), row.ends_at.timestamp());
                let stands = row.status == "scheduled";
                take(line(&(
                    row.id,
                    row.patient_id,
                    row.practitioner_id,
                    times.0,
                    times.1,
                    stands,
                    row.reason,
                ))?);
            }
        }
        Table::Availability => {
            let mut rows = sqlx::query!(
                "SELECT e.id, e.practitioner_id, e.weekday, e.from_minute, e.to_minute
                 FROM migration_ids m
                 JOIN migration_records r ON r.tenant_id = $1 AND r.migration_id = $2 AND r.run = $3
                                         AND r.collection = 'availability' AND r.old_id = m.old_id
                 JOIN availability_entries e ON e.tenant_id = $1 AND e.id = m.new_id
                 WHERE m.tenant_id = $1 AND m.migration_id = $2 AND m.collection = 'availability' ORDER BY r.place",
                tenant,
                migration,
                run,
            )
            .fetch(tx.conn());
            while let Some(row) = rows.try_next().await? {
                let weekday = row.weekday.map(i64::from);
                let hours =
                    weekday.zip(row.from_minute).zip(row.to_minute).map(|((day, from), to)| (day, from, to));
                take(line(&(row.id, row.practitioner_id, hours))?);
            }
        }
        Table::MedicalRecords => {}
    }
    let hash = hash.finalize().to_vec();
    Ok(ReadAgain { count, checksum: hex::encode(&hash), hash })
}
