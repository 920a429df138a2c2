//! What the law keeps of somebody who is erased: what, by which law, until when; kept under seal, opened by few and never unseen.

use chrono::{Datelike, NaiveDate};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Kept;
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    files::images,
    ids::{ErasureId, PatientId, RetainedId, TenantId},
    scheduling::{practice_zone, today},
    vault::{KeyClass, Place, Sealed, Subject, SubjectKey, Vault},
};

/// Twenty years after the last care, and at least until the 28th birthday.
pub(super) const RECORDS: &str = "CSP R1112-7";
/// Ten years: accounting documents.
pub(super) const ACCOUNTS: &str = "C. com. L123-22";
/// Five years: the time within which anybody may sue.
pub(super) const CLAIMS: &str = "C. civ. art. 2224";
/// Without a name it is nobody's.
pub(super) const ANONYMOUS: &str = "RGPD, considérant 26";
/// Who answers for data must be able to show what was done with it.
pub(super) const ACCOUNTABLE: &str = "RGPD, art. 5(2)";

/// A row that is kept under seal.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetainedRow {
    /// Identifier.
    pub id: RetainedId,
    /// `identity`, `invoice` or `payment`; of a colleague whose account was erased `author`, with their user id as `row_id`.
    pub what: String,
    /// The row that it was taken from.
    pub row_id: Uuid,
    /// The law that wants it kept.
    pub law: String,
    /// Until when.
    pub kept_until: NaiveDate,
}

/// What is kept under seal of an erasure.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetainedList {
    /// Each row.
    pub items: Vec<RetainedRow>,
}

/// What is kept under seal, opened.
#[derive(Serialize, ToSchema)]
pub struct Retained {
    /// Which.
    #[serde(flatten)]
    pub row: RetainedRow,
    /// As it was.
    #[schema(value_type = Object)]
    pub content: serde_json::Value,
}

impl std::fmt::Debug for Retained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retained").field("row", &self.row).finish_non_exhaustive()
    }
}

pub(super) fn subject(patient: PatientId) -> Subject {
    Subject { id: patient.0, class: KeyClass::Care }
}

/// A day so many years later; on 29 February, the 28th.
pub(super) fn years_after(day: NaiveDate, years: i32) -> NaiveDate {
    let year = day.year() + years;
    day.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 2, 28)).unwrap_or(day)
}

/// Until when records of care are kept: twenty years after the last care; those of a minor at least until they are 28.
pub(super) fn records_until(last_care: NaiveDate, birth: Option<NaiveDate>) -> NaiveDate {
    let after_care = years_after(last_care, 20);
    birth.map_or(after_care, |birth| after_care.max(years_after(birth, 28)))
}

pub(super) fn of(what: &str, count: i64, law: &str, until: Option<NaiveDate>) -> Kept {
    Kept { what: what.to_owned(), count, law: law.to_owned(), until }
}

/// What the law will keep of a patient, as things stand.
pub(super) async fn kept(tx: &mut TenantTx, patient: PatientId) -> Result<Vec<Kept>> {
    let zone = practice_zone(tx).await?;
    let tenant = tx.tenant();
    let row = sqlx::query!(
        r#"SELECT p.birth_date, (p.created_at AT TIME ZONE $3)::date AS "known_since!",
                  (SELECT count(*) FROM medical_records m WHERE m.tenant_id = $1 AND m.patient_id = $2) AS "records!",
                  (SELECT (max(m.updated_at) AT TIME ZONE $3)::date FROM medical_records m
                   WHERE m.tenant_id = $1 AND m.patient_id = $2) AS last_record,
                  (SELECT count(*) FROM files f WHERE f.tenant_id = $1 AND f.patient_id = $2) AS "files!",
                  (SELECT count(*) FROM images i
                   WHERE i.tenant_id = $1 AND i.patient_id = $2 AND i.status = 'available') AS "images!",
                  (SELECT (max(f.created_at) AT TIME ZONE $3)::date FROM files f
                   WHERE f.tenant_id = $1 AND f.patient_id = $2) AS last_file,
                  (SELECT (max(i.created_at) AT TIME ZONE $3)::date FROM images i
                   WHERE i.tenant_id = $1 AND i.patient_id = $2 AND i.status = 'available') AS last_image,
                  (SELECT max(a.starts_local)::date FROM appointments a
                   WHERE a.tenant_id = $1 AND a.patient_id = $2 AND a.status = 'scheduled') AS last_visit,
                  (SELECT count(*) FROM appointments a WHERE a.tenant_id = $1 AND a.patient_id = $2) AS "visits!",
                  (SELECT count(*) FROM messages m WHERE m.tenant_id = $1 AND m.patient_id = $2) AS "messages!",
                  (SELECT count(*) FROM patient_consents c WHERE c.tenant_id = $1 AND c.patient_id = $2) AS "consents!",
                  b.bills AS "bills!", b.last_bill, b.quotes AS "quotes!", b.last_quote,
                  (SELECT count(*) FROM payments y JOIN invoices i ON i.tenant_id = y.tenant_id AND i.id = y.invoice_id
                   WHERE y.tenant_id = $1 AND i.patient_id = $2) AS "payments!"
           FROM patients p,
                LATERAL (SELECT count(*) FILTER (WHERE kind <> 'quote') AS bills,
                                max(issued_on) FILTER (WHERE kind <> 'quote') AS last_bill,
                                count(*) FILTER (WHERE kind = 'quote') AS quotes,
                                max(issued_on) FILTER (WHERE kind = 'quote') AS last_quote
                         FROM invoices i
                         WHERE i.tenant_id = $1 AND i.patient_id = $2 AND i.number IS NOT NULL) AS b
           WHERE p.tenant_id = $1 AND p.id = $2"#,
        tenant.0,
        patient.0,
        zone.name(),
    )
    .fetch_one(tx.conn())
    .await?;
    let last = [row.last_record, row.last_file, row.last_image, row.last_visit];
    let last_care = last.into_iter().flatten().max().unwrap_or(row.known_since);
    let records =
        (row.records + row.files + row.images > 0).then(|| records_until(last_care, row.birth_date));
    let accounts = row.last_bill.map(|day| years_after(day, 10));
    let all = [
        of("medical_records", row.records, RECORDS, records),
        of("files", row.files, RECORDS, records),
        of("images", row.images, RECORDS, records),
        of("identity", i64::from(records.is_some()), RECORDS, records),
        of("invoices", row.bills, ACCOUNTS, accounts),
        of("payments", row.payments, ACCOUNTS, accounts),
        of("quotes", row.quotes, CLAIMS, row.last_quote.map(|day| years_after(day, 5))),
        of("appointments", row.visits, ANONYMOUS, None),
        of("messages", row.messages, ANONYMOUS, None),
        of("patient_consents", row.consents, ACCOUNTABLE, None),
    ];
    Ok(all.into_iter().filter(|kept| kept.count > 0).collect())
}

pub(super) fn place(tenant: TenantId, id: RetainedId) -> Place {
    Place { tenant, table: "retained", row: id.0, version: 1 }
}

/// A row to be kept: from where, why and how long.
pub(super) struct Keep {
    pub(super) erasure: ErasureId,
    pub(super) what: &'static str,
    pub(super) row: Uuid,
    pub(super) law: &'static str,
    pub(super) until: NaiveDate,
}

/// Keeps a row under seal.
pub(super) async fn keep(
    tx: &mut TenantTx,
    key: &SubjectKey,
    keep: Keep,
    content: &serde_json::Value,
) -> Result<()> {
    let (tenant, id) = (tx.tenant(), RetainedId::new(tx.now()));
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(content).map_err(Error::internal)?);
    let sealed = key.seal(&place(tenant, id), &plain)?;
    sqlx::query!(
        "INSERT INTO retained (tenant_id, id, erasure_id, account_erasure_id, what, row_id, sealed, law, kept_until)
         VALUES ($1, $2, CASE WHEN $4 <> 'author' THEN $3::uuid END, CASE WHEN $4 = 'author' THEN $3 END, $4, $5, $6, $7, $8)",
        tenant.0,
        id.0,
        keep.erasure.0,
        keep.what,
        keep.row,
        sealed.0,
        keep.law,
        keep.until,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What is kept under seal of an erasure; nothing is opened.
pub async fn list_retained(tx: &mut TenantTx, erasure: ErasureId) -> Result<RetainedList> {
    super::get_erasure(tx, erasure).await?;
    let items = sqlx::query_as!(
        RetainedRow,
        r#"SELECT id AS "id: RetainedId", what, row_id, law, kept_until FROM retained
           WHERE tenant_id = $1 AND erasure_id = $2 ORDER BY id"#,
        tx.tenant().0,
        erasure.0,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(RetainedList { items })
}

/// Who of those whose accounts were erased treated somebody here; nothing is opened.
pub async fn list_authors(tx: &mut TenantTx) -> Result<RetainedList> {
    let items = sqlx::query_as!(
        RetainedRow,
        r#"SELECT id AS "id: RetainedId", what, row_id, law, kept_until FROM retained
           WHERE tenant_id = $1 AND account_erasure_id IS NOT NULL ORDER BY id"#,
        tx.tenant().0,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(RetainedList { items })
}

/// Opens what is kept under seal, for whoever the law lets ask for it. That it was opened is in the audit trail.
pub async fn open_retained(tx: &mut TenantTx, vault: &Vault, id: RetainedId) -> Result<Retained> {
    let tenant = tx.tenant();
    let row = sqlx::query!(
        r#"SELECT r.what, r.row_id, r.law, r.kept_until, r.sealed, coalesce(e.patient_id, r.row_id) AS "whose!"
           FROM retained r LEFT JOIN patient_erasures e ON e.tenant_id = r.tenant_id AND e.id = r.erasure_id
           WHERE r.tenant_id = $1 AND r.id = $2"#,
        tenant.0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("retained row"))?;
    audit::record(tx, "retained.open", "retained", id.0).await?;
    let key = vault.reading(tx, Subject { id: row.whose, class: KeyClass::Care }).await?;
    let plain = key.open(&place(tenant, id), &Sealed(row.sealed))?;
    let content =
        serde_json::from_slice(&plain).map_err(|_| Error::internal("what is kept does not read"))?;
    let row =
        RetainedRow { id, what: row.what, row_id: row.row_id, law: row.law, kept_until: row.kept_until };
    Ok(Retained { row, content })
}

/// What came to its end.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Ended {
    /// Rows that were kept under seal.
    pub rows: u64,
    /// Pictures, whose objects go next.
    pub images: u64,
    /// The last keys of people of whom nothing is kept any more.
    pub keys: u64,
}

/// Destroys what is kept beyond its time, and has the pictures removed and the last key destroyed of those of whom nothing is kept any more.
pub async fn forget_ended(tx: &mut TenantTx) -> Result<Ended> {
    let (tenant, today) = (tx.tenant(), today(tx).await?);
    let gone = sqlx::query!(
        "DELETE FROM retained WHERE tenant_id = $1 AND kept_until < $2 RETURNING what, row_id",
        tenant.0,
        today
    )
    .fetch_all(tx.conn())
    .await?;
    let over = sqlx::query_scalar!(
        r#"SELECT e.patient_id AS "patient: PatientId"
           FROM patient_erasures e
           JOIN subject_keys k ON k.tenant_id = e.tenant_id AND k.subject_id = e.patient_id AND k.class = 'care'
           WHERE e.tenant_id = $1 AND e.status = 'completed' AND k.destroyed_at IS NULL
             AND NOT EXISTS (SELECT FROM retained r WHERE r.tenant_id = e.tenant_id AND r.erasure_id = e.id)
             AND NOT EXISTS (SELECT FROM jsonb_array_elements(e.kept) AS kept WHERE (kept ->> 'until')::date >= $2)"#,
        tenant.0,
        today,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut ended = Ended { rows: gone.len() as u64, ..Ended::default() };
    for author in gone.iter().filter(|row| row.what == "author") {
        ended.keys +=
            u64::from(Vault::destroy(tx, Subject { id: author.row_id, class: KeyClass::Care }).await?);
        audit::record(tx, "retained.end", "user", author.row_id).await?;
    }
    for patient in over {
        ended.images += images::retention_over(tx, patient).await?;
        ended.keys += u64::from(Vault::destroy(tx, subject(patient)).await?);
        audit::record(tx, "retained.end", "patient", patient.0).await?;
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn records_are_kept_as_long_as_the_law_says() {
        assert_eq!(records_until(day("2027-01-03"), None), day("2047-01-03"));
        assert_eq!(records_until(day("2027-01-03"), Some(day("1980-05-01"))), day("2047-01-03"));
        // A child of two, seen once: until the 28th birthday.
        assert_eq!(records_until(day("2027-01-03"), Some(day("2025-01-10"))), day("2053-01-10"));
        assert_eq!(records_until(day("2028-02-29"), None), day("2048-02-29"));
        assert_eq!(years_after(day("2028-02-29"), 5), day("2033-02-28"));
    }
}
