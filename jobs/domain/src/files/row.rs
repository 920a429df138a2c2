//! What is known of a file, and who may know it.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    identity::{Role, Scope},
    ids::{FileId, PatientId, UserId},
    page::{Count, Page, PageQuery},
    patients,
};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum FileKind {
    /// A letter, a form, a prescription.
    Document,
    /// A certificate.
    Certificate,
    /// A report, such as a laboratory's.
    Report,
    /// Anything else.
    Other,
}

/// What is said of a file that is handed in.
#[derive(Debug, Clone, Copy, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewFile {
    /// What it is.
    #[param(inline)]
    pub kind: FileKind,
    /// Whose it is; the practice's own where it is left out.
    #[deserr(default)]
    pub patient_id: Option<PatientId>,
}

/// Which files.
#[derive(Debug, Clone, Copy, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct FileQuery {
    /// Whose; the practice's own where it is left out.
    #[deserr(default)]
    pub patient_id: Option<PatientId>,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// A file, without what is in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoredFile {
    /// Identifier.
    pub id: FileId,
    /// What it is.
    pub kind: FileKind,
    /// Whose it is; the practice's own where nobody is named.
    pub patient_id: Option<PatientId>,
    /// `image/jpeg`, `image/png` or `application/pdf`, by what it holds.
    pub media_type: String,
    /// Bytes.
    pub bytes: i64,
    /// Handed in at.
    pub created_at: DateTime<Utc>,
    /// Handed in by.
    pub created_by: Option<UserId>,
}

/// What belongs to a patient's care is for those who read records: not for whoever only runs the practice.
pub(super) fn require(role: Role, patient: Option<PatientId>) -> Result<()> {
    if patient.is_some() && !role.may(Scope::RecordsRead) {
        return Err(Error::Forbidden(Scope::RecordsRead.as_str()));
    }
    Ok(())
}

/// A file that stands, of a patient who does.
pub(super) async fn find(tx: &mut TenantTx, role: Role, id: FileId) -> Result<StoredFile> {
    let file = sqlx::query_as!(
        StoredFile,
        r#"SELECT f.id AS "id: FileId", f.kind AS "kind: FileKind", f.patient_id AS "patient_id: PatientId",
                  f.media_type, f.bytes, f.created_at, f.created_by AS "created_by: UserId"
           FROM files f
           WHERE f.tenant_id = $1 AND f.id = $2 AND f.retracted_at IS NULL
             AND (f.patient_id IS NULL
                  OR EXISTS (SELECT 1 FROM patients p
                             WHERE p.tenant_id = $1 AND p.id = f.patient_id AND p.deleted_at IS NULL))"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("file"))?;
    require(role, file.patient_id)?;
    Ok(file)
}

/// What is known of a file.
pub async fn get(tx: &mut TenantTx, role: Role, id: FileId) -> Result<StoredFile> {
    let file = find(tx, role, id).await?;
    audit::record(tx, "file.look", "file", id.0).await?;
    Ok(file)
}

/// A page of a patient's files or of the practice's own, the newest first.
pub async fn list(tx: &mut TenantTx, role: Role, query: &FileQuery) -> Result<Page<StoredFile>> {
    require(role, query.patient_id)?;
    if let Some(patient) = query.patient_id {
        patients::get(tx, patient).await?;
        audit::record(tx, "file.list", "patient", patient.0).await?;
    }
    let (tenant, patient) = (tx.tenant(), query.patient_id.map(|patient| patient.0));
    let page = PageQuery { page: query.page, limit: query.limit };
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM files
           WHERE tenant_id = $1 AND patient_id IS NOT DISTINCT FROM $2 AND retracted_at IS NULL"#,
        tenant.0,
        patient,
    )
    .fetch_one(tx.conn())
    .await?;
    let items = sqlx::query_as!(
        StoredFile,
        r#"SELECT id AS "id: FileId", kind AS "kind: FileKind", patient_id AS "patient_id: PatientId", media_type, bytes,
                  created_at, created_by AS "created_by: UserId"
           FROM files
           WHERE tenant_id = $1 AND patient_id IS NOT DISTINCT FROM $2 AND retracted_at IS NULL
           ORDER BY id DESC LIMIT $3 OFFSET $4"#,
        tenant.0,
        patient,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(items, page, total))
}
