//! What the law keeps of somebody whose account is erased: what they wrote and issued for others, and what care keeps of them.

use chrono::NaiveDate;
use uuid::Uuid;

use super::super::{
    Kept,
    retained::{self, ACCOUNTABLE, ACCOUNTS, ANONYMOUS, RECORDS, records_until, years_after},
};
use crate::{
    db::{SystemTx, TenantTx},
    error::Result,
    ids::{PatientId, TenantId, UserId},
    scheduling::practice_zone,
};

/// What somebody wrote and issued in a practice.
#[derive(Debug)]
pub(super) struct Authored {
    pub(super) records: i64,
    /// Until when it must be known who treated there; none where they treated nobody.
    pub(super) author_until: Option<NaiveDate>,
    pub(super) invoices: i64,
    pub(super) invoices_until: Option<NaiveDate>,
}

/// What the person wrote and issued in this tenant.
pub(super) async fn authored(tx: &mut TenantTx, user: UserId) -> Result<Authored> {
    let zone = practice_zone(tx).await?;
    let row = sqlx::query!(
        r#"WITH self AS (SELECT id FROM practitioners WHERE tenant_id = $1 AND user_id = $2),
                written AS (SELECT r.id, max(v.written_at) AS at, max(p.birth_date) AS born
                            FROM medical_record_versions v
                            JOIN medical_records r ON r.tenant_id = v.tenant_id AND r.id = v.record_id
                            JOIN patients p ON p.tenant_id = r.tenant_id AND p.id = r.patient_id
                            WHERE v.tenant_id = $1 AND v.written_by = $2 GROUP BY r.id),
                treated AS (SELECT max(a.starts_local)::date AS day, max(p.birth_date) AS born
                            FROM appointments a JOIN patients p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
                            WHERE a.tenant_id = $1 AND a.practitioner_id IN (SELECT id FROM self)
                              AND a.status = 'scheduled'),
                issued AS (SELECT count(*) AS n, max(i.issued_on) AS day FROM invoices i
                           WHERE i.tenant_id = $1 AND i.number IS NOT NULL
                             AND i.content ->> 'practitioner_id' IN (SELECT id::text FROM self))
           SELECT (SELECT count(*) FROM written) AS "records!",
                  (SELECT (max(at) AT TIME ZONE $3)::date FROM written) AS written_on,
                  (SELECT max(born) FROM written) AS written_of, treated.day AS treated_on, treated.born AS treated_of,
                  issued.n AS "issued!", issued.day AS issued_on
           FROM treated, issued"#,
        tx.tenant().0,
        user.0,
        zone.name(),
    )
    .fetch_one(tx.conn())
    .await?;
    let last = row.written_on.max(row.treated_on);
    Ok(Authored {
        records: row.records,
        // The youngest of their patients keeps it the longest.
        author_until: last.map(|day| records_until(day, row.written_of.max(row.treated_of))),
        invoices: row.issued,
        invoices_until: row.issued_on.map(|day| years_after(day, 10)),
    })
}

/// Adds to what is kept of the same kind by the same law: the later day counts.
fn add(all: &mut Vec<Kept>, more: Kept) {
    if more.count == 0 {
        return;
    }
    match all.iter_mut().find(|kept| (&kept.what, &kept.law) == (&more.what, &more.law)) {
        Some(kept) => {
            kept.count += more.count;
            kept.until = kept.until.max(more.until);
        }
        None => all.push(more),
    }
}

/// The tenants that the person is a member of, and the patients that they are through a company.
pub(super) async fn places(
    tx: &mut SystemTx,
    user: UserId,
) -> Result<(Vec<TenantId>, Vec<(TenantId, PatientId)>)> {
    let tenants = sqlx::query_scalar!(
        r#"SELECT tenant_id AS "id: TenantId" FROM memberships WHERE user_id = $1 ORDER BY tenant_id"#,
        user.0
    )
    .fetch_all(tx.conn())
    .await?;
    let patients = sqlx::query!(
        r#"SELECT tenant_id AS "tenant_id: TenantId", patient_id AS "patient_id: PatientId"
           FROM employee_patients WHERE user_id = $1 ORDER BY tenant_id"#,
        user.0
    )
    .fetch_all(tx.conn())
    .await?;
    Ok((tenants, patients.into_iter().map(|row| (row.tenant_id, row.patient_id)).collect()))
}

/// What the law will keep of the person, in all tenants, as things stand.
pub(super) async fn kept(mut tx: SystemTx, user: UserId) -> Result<(SystemTx, Vec<Kept>)> {
    let (tenants, patients) = places(&mut tx, user).await?;
    let mut all = Vec::new();
    for tenant in tenants {
        let mut own = tx.narrow(tenant).await?;
        let authored = authored(&mut own, user).await?;
        add(&mut all, retained::of("written_records", authored.records, RECORDS, authored.author_until));
        let authors = i64::from(authored.author_until.is_some());
        add(&mut all, retained::of("author", authors, RECORDS, authored.author_until));
        let invoices = authored.invoices;
        add(&mut all, retained::of("written_invoices", invoices, ACCOUNTS, authored.invoices_until));
        tx = own.widen().await?;
    }
    for (practice, patient) in patients {
        let mut own = tx.narrow(practice).await?;
        for more in retained::kept(&mut own, patient).await? {
            add(&mut all, more);
        }
        tx = own.widen().await?;
    }
    for (what, count, law) in unnamed(&mut tx, user.0).await? {
        add(&mut all, retained::of(what, count, law, None));
    }
    Ok((tx, all))
}

/// What stays without anybody's name.
async fn unnamed(tx: &mut SystemTx, user: Uuid) -> Result<[(&'static str, i64, &'static str); 2]> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM consultations c
                   WHERE c.company_id IN (SELECT tenant_id FROM memberships WHERE user_id = $1)
                     AND c.employee_id = $1) AS "consultations!",
                  (SELECT count(*) FROM audit_log WHERE actor_id = $1) AS "trail!""#,
        user,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok([("consultations", row.consultations, ANONYMOUS), ("audit_log", row.trail, ACCOUNTABLE)])
}
