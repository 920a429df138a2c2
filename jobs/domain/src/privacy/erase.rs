//! The first steps of an erasure: all tables, in one transaction, then the objects, which can be removed twice. What a step does is
//! noted with it, so that whoever goes on knows where.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Destroyed, ErasureStatus, Finding, Identifiers, Kept, certify,
    retained::{self, ACCOUNTS, CLAIMS, Keep, RECORDS, keep, years_after},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    exports,
    files::images,
    ids::{ErasureId, ExportId, PatientId, TenantId},
    import,
    storage::ObjectKey,
    vault::{KeyClass, Place, Subject, SubjectKey, Vault},
};

/// What is left to do of an erasure whose tables are done.
#[derive(Debug)]
pub struct ErasureObjects {
    /// The objects that are to be removed; those that are not there any more are removed already.
    pub keys: Vec<ObjectKey>,
}

pub(super) fn personal(patient: PatientId) -> Subject {
    Subject { id: patient.0, class: KeyClass::Personal }
}

pub(super) fn place(tenant: TenantId, id: ErasureId) -> Place {
    Place { tenant, table: "patient_erasures", row: id.0, version: 1 }
}

/// The erasures of the practice that are due or have begun, the oldest first.
pub async fn due(tx: &mut TenantTx) -> Result<Vec<ErasureId>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: ErasureId" FROM patient_erasures
           WHERE tenant_id = $1 AND (status = 'running' OR (status = 'pending' AND due_at <= $2)) ORDER BY due_at, id"#,
        tenant.0,
        now,
    )
    .fetch_all(tx.conn())
    .await?)
}

struct Begun {
    patient: PatientId,
    erased: bool,
    kept: Vec<Kept>,
}

async fn begin(tx: &mut TenantTx, id: ErasureId) -> Result<Option<Begun>> {
    let row = sqlx::query!(
        r#"SELECT patient_id AS "patient: PatientId", status AS "status: ErasureStatus", erased_at
           FROM patient_erasures WHERE tenant_id = $1 AND id = $2 FOR UPDATE"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("erasure"))?;
    if matches!(row.status, ErasureStatus::Cancelled | ErasureStatus::Completed) {
        return Ok(None);
    }
    let kept = retained::kept(tx, row.patient).await?;
    Ok(Some(Begun { patient: row.patient, erased: row.erased_at.is_some(), kept }))
}

/// Empties and deletes every row of the patient, seals what the law keeps, and notes both: all of it or nothing. Gives the
/// objects to be removed next; `None` where the erasure was taken back or is over, or waits for a migration.
pub async fn erase(tx: &mut TenantTx, vault: &Vault, id: ErasureId) -> Result<Option<ErasureObjects>> {
    let Some(begun) = begin(tx, id).await? else { return Ok(None) };
    let patient = begun.patient;
    if !begun.erased && waits_for_migration(tx, id).await? {
        return Ok(None);
    }
    // At each run, for another dump may have come since; and before the patient's rows, as a rollback locks them.
    let ended = import::end_for_erasure(tx).await?;
    if !begun.erased {
        let (tenant, now) = (tx.tenant(), tx.now());
        let identifiers = identifiers(tx, patient).await?;
        let plain = Zeroizing::new(serde_json::to_vec(&identifiers).map_err(Error::internal)?);
        let sealed = vault.writing(tx, personal(patient)).await?.seal(&place(tenant, id), &plain)?;
        let key = vault.writing(tx, retained::subject(patient)).await?;
        let mut destroyed = Vec::new();
        note(&mut destroyed, "data_migrations", ended as u64, "key_destroyed");
        if let Some(until) =
            begun.kept.iter().find(|kept| kept.what == "identity").and_then(|kept| kept.until)
        {
            let identity = Keep { erasure: id, what: "identity", row: patient.0, law: RECORDS, until };
            keep(tx, &key, identity, &serde_json::to_value(&identifiers).map_err(Error::internal)?).await?;
        }
        seal_bills(tx, &key, id, patient, &mut destroyed).await?;
        seal_references(tx, &key, id, patient, &mut destroyed).await?;
        empty(tx, patient, &mut destroyed).await?;
        withdraw_exports(tx, &mut destroyed).await?;
        forget_old_ids(tx, patient, &mut destroyed).await?;
        sqlx::query!(
            "UPDATE patient_erasures SET status = 'running', findings = '[]', erased_at = $3, identifiers = $4, destroyed = $5, kept = $6
             WHERE tenant_id = $1 AND id = $2",
            tenant.0,
            id.0,
            now,
            sealed.0,
            Json(&destroyed) as Json<&Vec<Destroyed>>,
            Json(&begun.kept) as Json<&Vec<Kept>>,
        )
        .execute(tx.conn())
        .await?;
        audit::record(tx, "erasure.erase", "patient", patient.0).await?;
    }
    let mut keys = papers(tx, id).await?;
    keys.extend(import::files_left(tx, true).await?);
    Ok(Some(ErasureObjects { keys }))
}

/// Whether a migration of the practice waits or is at work: it may bring the patient once more, so it ends first. The erasure tells
/// that it waits for it.
async fn waits_for_migration(tx: &mut TenantTx, id: ErasureId) -> Result<bool> {
    let at_work = u64::try_from(import::at_work(tx).await?).unwrap_or_default();
    if at_work > 0 {
        certify::found(tx, id, &[Finding { place: "public.data_migrations".to_owned(), count: at_work }])
            .await?;
    }
    Ok(at_work > 0)
}

/// Forgets which identifiers of an earlier system became the patient, their appointments and their records.
async fn forget_old_ids(tx: &mut TenantTx, patient: PatientId, destroyed: &mut Vec<Destroyed>) -> Result<()> {
    let forgotten = sqlx::query!(
        "DELETE FROM migration_ids
         WHERE tenant_id = $1
           AND (new_id = $2
                OR new_id IN (SELECT id FROM appointments WHERE tenant_id = $1 AND patient_id = $2)
                OR new_id IN (SELECT id FROM medical_records WHERE tenant_id = $1 AND patient_id = $2))",
        tx.tenant().0,
        patient.0,
    )
    .execute(tx.conn())
    .await?;
    note(destroyed, "migration_ids", forgotten.rows_affected(), "deleted");
    Ok(())
}

async fn identifiers(tx: &mut TenantTx, patient: PatientId) -> Result<Identifiers> {
    Ok(sqlx::query_as!(
        Identifiers,
        r#"SELECT first_name, last_name, birth_date::text AS birth_date, email, phone, address AS "address: Value"
           FROM patients WHERE tenant_id = $1 AND id = $2"#,
        tx.tenant().0,
        patient.0,
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Seals what was issued to the patient whole, and takes its personal words out of what stays in sight.
async fn seal_bills(
    tx: &mut TenantTx,
    key: &SubjectKey,
    erasure: ErasureId,
    patient: PatientId,
    destroyed: &mut Vec<Destroyed>,
) -> Result<()> {
    let tenant = tx.tenant();
    let bills = sqlx::query!(
        r#"SELECT id, kind, issued_on AS "issued_on!", document AS "document!: Value", content AS "content: Value"
           FROM invoices WHERE tenant_id = $1 AND patient_id = $2 AND number IS NOT NULL"#,
        tenant.0,
        patient.0,
    )
    .fetch_all(tx.conn())
    .await?;
    for bill in &bills {
        let (law, years) = if bill.kind == "quote" { (CLAIMS, 5) } else { (ACCOUNTS, 10) };
        let until: NaiveDate = years_after(bill.issued_on, years);
        let content = json!({ "document": bill.document, "content": bill.content });
        keep(tx, key, Keep { erasure, what: "invoice", row: bill.id, law, until }, &content).await?;
    }
    let ids: Vec<Uuid> = bills.iter().map(|bill| bill.id).collect();
    let emptied = sqlx::query!(
        "UPDATE invoices SET document = erased_document(document), content = erased_content(content)
         WHERE tenant_id = $1 AND id = ANY($2)",
        tenant.0,
        &ids,
    )
    .execute(tx.conn())
    .await?;
    note(destroyed, "invoices", emptied.rows_affected(), "emptied");
    Ok(())
}

/// Seals the references of the patient's payments, which are free text.
async fn seal_references(
    tx: &mut TenantTx,
    key: &SubjectKey,
    erasure: ErasureId,
    patient: PatientId,
    destroyed: &mut Vec<Destroyed>,
) -> Result<()> {
    let tenant = tx.tenant();
    let payments = sqlx::query!(
        r#"SELECT y.id, y.paid_on, y.reference AS "reference!"
           FROM payments y JOIN invoices i ON i.tenant_id = y.tenant_id AND i.id = y.invoice_id
           WHERE y.tenant_id = $1 AND i.patient_id = $2 AND y.reference IS NOT NULL"#,
        tenant.0,
        patient.0,
    )
    .fetch_all(tx.conn())
    .await?;
    for payment in &payments {
        let until = years_after(payment.paid_on, 10);
        let kept = Keep { erasure, what: "payment", row: payment.id, law: ACCOUNTS, until };
        keep(tx, key, kept, &json!({ "reference": payment.reference })).await?;
    }
    let ids: Vec<Uuid> = payments.iter().map(|payment| payment.id).collect();
    let emptied = sqlx::query!(
        "UPDATE payments SET reference = NULL WHERE tenant_id = $1 AND id = ANY($2)",
        tenant.0,
        &ids,
    )
    .execute(tx.conn())
    .await?;
    note(destroyed, "payments", emptied.rows_affected(), "emptied");
    Ok(())
}

pub(super) fn note(destroyed: &mut Vec<Destroyed>, what: &str, count: u64, how: &str) {
    if count > 0 {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        destroyed.push(Destroyed { what: what.to_owned(), count, how: how.to_owned() });
    }
}

/// Empties the patient's own row, and deletes or empties what hangs on it.
async fn empty(tx: &mut TenantTx, patient: PatientId, destroyed: &mut Vec<Destroyed>) -> Result<()> {
    let (tenant, now) = (tx.tenant().0, tx.now());
    let drafts = sqlx::query!(
        "DELETE FROM invoices WHERE tenant_id = $1 AND patient_id = $2 AND number IS NULL",
        tenant,
        patient.0
    )
    .execute(tx.conn())
    .await?;
    note(destroyed, "invoices", drafts.rows_affected(), "deleted");
    let addresses = sqlx::query!(
        "DELETE FROM unreachable_addresses WHERE tenant_id = $1 AND patient_id = $2",
        tenant,
        patient.0
    )
    .execute(tx.conn())
    .await?;
    note(destroyed, "unreachable_addresses", addresses.rows_affected(), "deleted");
    let links =
        sqlx::query!("DELETE FROM patient_links WHERE tenant_id = $1 AND patient_id = $2", tenant, patient.0)
            .execute(tx.conn())
            .await?;
    note(destroyed, "patient_links", links.rows_affected(), "deleted");
    let reasons = sqlx::query!(
        "UPDATE appointments SET reason = NULL WHERE tenant_id = $1 AND patient_id = $2 AND reason IS NOT NULL",
        tenant,
        patient.0
    )
    .execute(tx.conn())
    .await?;
    note(destroyed, "appointments", reasons.rows_affected(), "emptied");
    empty_consultations(tx, patient, destroyed).await?;
    let row = sqlx::query!(
        "UPDATE patients
         SET first_name = 'Personne', last_name = 'effacée', birth_date = NULL, email = NULL, phone = NULL, address = NULL,
             sms_consent = false, email_consent = false, imaging_consent = false, deleted_at = coalesce(deleted_at, $3), erased_at = $3,
             updated_at = $3, version = version + 1
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        patient.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    note(destroyed, "patients", row.rows_affected(), "emptied");
    // Nobody consents any more: what is on its way and every thumbnail goes, what care's law keeps stays unseen.
    images::withdrawn(tx, patient).await
}

/// Takes out why consultations were cancelled, and which person of a company the patient is. That and how long they took
/// stays: the practice bills by it, and the employee's identity is the company's to take away.
async fn empty_consultations(
    tx: &mut TenantTx,
    patient: PatientId,
    destroyed: &mut Vec<Destroyed>,
) -> Result<()> {
    let tenant = tx.tenant().0;
    let reasons = sqlx::query!(
        "UPDATE consultations c SET cancel_reason = NULL
         FROM appointments a
         WHERE c.tenant_id = $1 AND a.tenant_id = c.tenant_id AND a.id = c.appointment_id AND a.patient_id = $2
           AND c.cancel_reason IS NOT NULL",
        tenant,
        patient.0,
    )
    .execute(tx.conn())
    .await?;
    note(destroyed, "consultations", reasons.rows_affected(), "emptied");
    let links = sqlx::query!(
        "DELETE FROM employee_patients WHERE tenant_id = $1 AND patient_id = $2",
        tenant,
        patient.0
    )
    .execute(tx.conn())
    .await?;
    note(destroyed, "employee_patients", links.rows_affected(), "deleted");
    Ok(())
}

/// Removes the practice's exports: any of them may name the patient, and all are made anew in a moment.
async fn withdraw_exports(tx: &mut TenantTx, destroyed: &mut Vec<Destroyed>) -> Result<()> {
    let living = sqlx::query_scalar!(
        r#"SELECT id AS "id: ExportId" FROM exports
           WHERE tenant_id = $1 AND status IN ('queued', 'running', 'completed')"#,
        tx.tenant().0,
    )
    .fetch_all(tx.conn())
    .await?;
    for id in &living {
        exports::withdraw(tx, *id).await?;
    }
    note(destroyed, "exports", living.len() as u64, "removed");
    Ok(())
}

/// Where the PDFs of what was sealed lie.
async fn papers(tx: &mut TenantTx, id: ErasureId) -> Result<Vec<ObjectKey>> {
    let keys = sqlx::query_scalar!(
        "SELECT p.object_key FROM invoice_papers p
         JOIN retained r ON r.tenant_id = p.tenant_id AND r.what = 'invoice' AND r.row_id = p.invoice_id
         WHERE p.tenant_id = $1 AND r.erasure_id = $2",
        tx.tenant().0,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    keys.iter().map(|key| ObjectKey::parse(key)).collect()
}

/// Notes that the objects are gone.
pub async fn objects_removed(tx: &mut TenantTx, id: ErasureId, keys: &[ObjectKey]) -> Result<()> {
    import::objects_removed(tx, keys).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let mut gone = Vec::new();
    let areas: BTreeSet<&str> = keys.iter().map(ObjectKey::area).collect();
    for area in areas {
        let count = keys.iter().filter(|key| key.area() == area).count();
        note(&mut gone, &format!("objects/{area}"), count as u64, "removed");
    }
    sqlx::query!(
        "UPDATE patient_erasures SET objects_removed_at = $3, destroyed = destroyed || $4
         WHERE tenant_id = $1 AND id = $2 AND objects_removed_at IS NULL",
        tenant.0,
        id.0,
        now,
        Json(&gone) as Json<&Vec<Destroyed>>,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
