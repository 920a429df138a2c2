//! A patient's records in a list.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use utoipa::IntoParams;

use super::{NewRecord, Record, RecordSummary, subject};
use crate::{
    audit,
    db::TenantTx,
    error::{Invalid, Result},
    ids::{MedicalRecordId, PatientId, PractitionerId, TenantId, UserId},
    page::{Count, Flag, Page, PageQuery},
    patients,
    vault::{SubjectKey, Vault},
};

/// Which of a patient's records.
#[derive(Debug, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct RecordQuery {
    /// Whether those that were retracted are listed too.
    #[deserr(default)]
    #[param(value_type = Option<bool>)]
    pub retracted: Flag,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// A record's row, with the version that is asked for.
pub(super) struct Row {
    pub(super) id: MedicalRecordId,
    pub(super) patient_id: PatientId,
    pub(super) version: i32,
    pub(super) sealed: Vec<u8>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) created_by: Option<UserId>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) updated_by: Option<UserId>,
    pub(super) imported_at: Option<DateTime<Utc>>,
    pub(super) practitioner_id: Option<PractitionerId>,
    pub(super) retracted_at: Option<DateTime<Utc>>,
    pub(super) retracted_by: Option<UserId>,
}

impl Row {
    pub(super) fn open(self, key: &SubjectKey, tenant: TenantId) -> Result<Record> {
        let NewRecord { kind, occurred_on, title, content } =
            NewRecord::open(key, tenant, self.id.0, self.version, self.sealed)?;
        let summary = RecordSummary {
            id: self.id,
            patient_id: self.patient_id,
            kind,
            title,
            occurred_on: occurred_on.0,
            version: self.version,
            created_at: self.created_at,
            created_by: self.created_by,
            updated_at: self.updated_at,
            updated_by: self.updated_by,
            imported_at: self.imported_at,
            practitioner_id: self.practitioner_id,
            retracted_at: self.retracted_at,
            retracted_by: self.retracted_by,
        };
        Ok(Record { summary, content })
    }
}

/// A page of a patient's records, the last written first. That they were read is in the audit trail.
pub async fn list(
    tx: &mut TenantTx,
    vault: &Vault,
    patient: PatientId,
    query: &RecordQuery,
) -> Result<Page<RecordSummary>> {
    patients::get(tx, patient).await?;
    let (tenant, page) = (tx.tenant(), PageQuery { page: query.page, limit: query.limit });
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM medical_records
           WHERE tenant_id = $1 AND patient_id = $2 AND ($3 OR retracted_at IS NULL)"#,
        tenant.0,
        patient.0,
        query.retracted.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT r.id AS "id: MedicalRecordId", patient_id AS "patient_id: PatientId", version, sealed, created_at,
                  created_by AS "created_by: UserId", updated_at, updated_by AS "updated_by: UserId", imported_at,
                  practitioner_id AS "practitioner_id: PractitionerId", retracted_at,
                  retracted_by AS "retracted_by: UserId"
           FROM medical_records r
           JOIN medical_record_versions v USING (tenant_id, version)
           WHERE tenant_id = $1 AND v.record_id = r.id AND patient_id = $2 AND ($3 OR retracted_at IS NULL)
           ORDER BY r.id DESC LIMIT $4 OFFSET $5"#,
        tenant.0,
        patient.0,
        query.retracted.0,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    audit::record(tx, "medical_record.list", "patient", patient.0).await?;
    if rows.is_empty() {
        return Ok(Page::new(Vec::new(), page, total));
    }
    let key = vault.reading(tx, subject(patient)).await?;
    let items = rows.into_iter().map(|row| Ok(row.open(&key, tenant)?.summary));
    Ok(Page::new(items.collect::<Result<_>>()?, page, total))
}
