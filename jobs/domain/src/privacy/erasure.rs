//! Asking for an erasure, taking it back, looking at it. From the question on the patient is out of sight; for thirty days that
//! can be undone.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{Destroyed, Kept, SignedCertificate, retained};
use crate::{
    audit,
    billing::Paper,
    db::{SystemTx, TenantTx},
    error::{Error, Result},
    field::Language,
    ids::{ErasureId, PatientId, TenantId, UserId},
    page::{Page, PageQuery},
    patients,
    storage::ObjectKey,
};

/// How long an erasure can be taken back.
const PUT_OFF: Duration = Duration::days(30);

/// How an erasure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ErasureStatus {
    /// It waits for its day and can be cancelled.
    Pending,
    /// It was taken back.
    Cancelled,
    /// It has begun, and cannot be taken back.
    Running,
    /// Nothing is left, and a certificate says so.
    Completed,
}

/// A place where the search still found something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// The table or the object.
    pub place: String,
    /// Rows.
    pub count: u64,
}

/// An erasure.
#[derive(Debug, Serialize, ToSchema)]
pub struct Erasure {
    /// Identifier.
    pub id: ErasureId,
    /// Whose.
    pub patient_id: PatientId,
    /// How it stands.
    pub status: ErasureStatus,
    /// Asked for at.
    pub requested_at: DateTime<Utc>,
    /// Asked for by.
    pub requested_by: Option<UserId>,
    /// Can be cancelled until then, and is done from then on.
    pub due_at: DateTime<Utc>,
    /// Taken back at.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Erased at.
    pub erased_at: Option<DateTime<Utc>>,
    /// Searched and certified at.
    pub completed_at: Option<DateTime<Utc>>,
    /// What was destroyed; empty before.
    pub destroyed: Vec<Destroyed>,
    /// What the law keeps, or will.
    pub kept: Vec<Kept>,
    /// Where the search still finds something; as long as it does there is no certificate.
    pub findings: Vec<Finding>,
}

struct Row {
    id: ErasureId,
    patient_id: PatientId,
    status: ErasureStatus,
    requested_at: DateTime<Utc>,
    requested_by: Option<UserId>,
    due_at: DateTime<Utc>,
    cancelled_at: Option<DateTime<Utc>>,
    erased_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    destroyed: Json<Vec<Destroyed>>,
    kept: Json<Vec<Kept>>,
    findings: Json<Vec<Finding>>,
}

impl From<Row> for Erasure {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            patient_id: row.patient_id,
            status: row.status,
            requested_at: row.requested_at,
            requested_by: row.requested_by,
            due_at: row.due_at,
            cancelled_at: row.cancelled_at,
            erased_at: row.erased_at,
            completed_at: row.completed_at,
            destroyed: row.destroyed.0,
            kept: row.kept.0,
            findings: row.findings.0,
        }
    }
}

/// Selects erasures; the text is what follows WHERE.
macro_rules! select_erasures {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: ErasureId", patient_id AS "patient_id: PatientId", status AS "status: ErasureStatus",
                      requested_at, requested_by AS "requested_by: UserId", due_at, cancelled_at, erased_at, completed_at,
                      destroyed AS "destroyed: Json<Vec<Destroyed>>", kept AS "kept: Json<Vec<Kept>>",
                      findings AS "findings: Json<Vec<Finding>>"
               FROM patient_erasures WHERE "#
                + $rest,
            $($argument),*
        )
    };
}

/// Asks for the erasure of a patient who has no coming appointment. They are out of sight at once (GDPR art. 18).
pub async fn request_erasure(tx: &mut TenantTx, patient: PatientId) -> Result<Erasure> {
    let due_at = tx.now() + PUT_OFF;
    let id = ask(tx, patient, due_at, None).await?;
    let id = id.ok_or_else(|| {
        Error::conflict("erasure_requested", "the patient's erasure has been asked for already")
    })?;
    get_erasure(tx, id).await
}

/// Has a patient erased now, with the account of the person that they are; one whom the practice was to erase later comes earlier.
pub(super) async fn erase_with_account(
    tx: &mut TenantTx,
    patient: PatientId,
    account: ErasureId,
) -> Result<()> {
    let now = tx.now();
    if ask(tx, patient, now, Some(account)).await?.is_none() {
        sqlx::query!(
            "UPDATE patient_erasures SET account_erasure_id = $3, due_at = least(due_at, $4)
             WHERE tenant_id = $1 AND patient_id = $2 AND status <> 'cancelled'",
            tx.tenant().0,
            patient.0,
            account.0,
            now,
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Adds an erasure, and takes the patient out of sight; none where there is one already.
async fn ask(
    tx: &mut TenantTx,
    patient: PatientId,
    due_at: DateTime<Utc>,
    account: Option<ErasureId>,
) -> Result<Option<ErasureId>> {
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let deleted = sqlx::query_scalar!(
        r#"SELECT deleted_at IS NOT NULL AS "deleted!" FROM patients
           WHERE tenant_id = $1 AND id = $2 AND erased_at IS NULL FOR NO KEY UPDATE"#,
        tenant.0,
        patient.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("patient"))?;
    if !deleted {
        patients::delete(tx, patient).await?;
    }
    let id = ErasureId::new(now);
    let kept = retained::kept(tx, patient).await?;
    let added = sqlx::query!(
        "INSERT INTO patient_erasures (tenant_id, id, patient_id, requested_at, requested_by, due_at, kept, account_erasure_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        tenant.0,
        id.0,
        patient.0,
        now,
        by.map(|user| user.0),
        due_at,
        Json(&kept) as Json<&Vec<Kept>>,
        account.map(|account| account.0),
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 0 {
        return Ok(None);
    }
    audit::record(tx, "erasure.request", "patient", patient.0).await?;
    Ok(Some(id))
}

/// Takes an erasure back before its day: the patient is there again.
pub async fn cancel_erasure(tx: &mut TenantTx, id: ErasureId) -> Result<Erasure> {
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    get_erasure(tx, id).await?;
    let patient = sqlx::query_scalar!(
        r#"UPDATE patient_erasures SET status = 'cancelled', cancelled_at = $3, cancelled_by = $4
           WHERE tenant_id = $1 AND id = $2 AND status = 'pending' AND due_at > $3
           RETURNING patient_id AS "patient_id: PatientId""#,
        tenant.0,
        id.0,
        now,
        by.map(|user| user.0),
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Error::conflict("erasure_begun", "it was cancelled before, or its day has come"))?;
    sqlx::query!(
        "UPDATE patients SET deleted_at = NULL, updated_at = $3, version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND erased_at IS NULL",
        tenant.0,
        patient.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "erasure.cancel", "patient", patient.0).await?;
    get_erasure(tx, id).await
}

/// One erasure.
pub async fn get_erasure(tx: &mut TenantTx, id: ErasureId) -> Result<Erasure> {
    let tenant = tx.tenant();
    let row =
        select_erasures!("tenant_id = $1 AND id = $2", tenant.0, id.0).fetch_optional(tx.conn()).await?;
    row.map(Erasure::from).ok_or(Error::NotFound("erasure"))
}

/// A page of erasures, the newest first.
pub async fn list_erasures(tx: &mut TenantTx, page: PageQuery) -> Result<Page<Erasure>> {
    let tenant = tx.tenant();
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM patient_erasures WHERE tenant_id = $1"#,
        tenant.0
    )
    .fetch_one(tx.conn())
    .await?;
    let rows = select_erasures!(
        "tenant_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3",
        tenant.0,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(rows.into_iter().map(Erasure::from).collect(), page, total))
}

/// The certificate of an erasure that is completed.
pub async fn certificate_of(tx: &mut TenantTx, id: ErasureId) -> Result<SignedCertificate> {
    let certificate = sqlx::query_scalar!(
        r#"SELECT certificate AS "certificate: Json<SignedCertificate>" FROM patient_erasures
           WHERE tenant_id = $1 AND id = $2"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("erasure"))?;
    let Json(certificate) = certificate.ok_or_else(|| {
        Error::conflict(
            "erasure_not_completed",
            "there is a certificate once nothing is left: follow the erasure",
        )
    })?;
    Ok(certificate)
}

/// A certificate and the language to draw it in: the patient is nobody any more, so it is the practice's.
pub async fn certificate_to_draw(tx: &mut TenantTx, id: ErasureId) -> Result<(SignedCertificate, Language)> {
    let signed = certificate_of(tx, id).await?;
    let language = sqlx::query_scalar!(
        r#"SELECT language AS "language: Language" FROM tenants WHERE id = $1"#,
        tx.tenant().0
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((signed, language))
}

/// Where the PDF of a certificate lies.
pub fn certificate_key(tenant: TenantId, id: ErasureId) -> Result<ObjectKey> {
    ObjectKey::of("certificates", tenant, &format!("{id}.pdf"))
}

/// Notes that the PDF of a certificate lies there.
pub async fn keep_certificate(tx: &mut TenantTx, id: ErasureId, key: &ObjectKey) -> Result<()> {
    sqlx::query!(
        "UPDATE patient_erasures SET certificate_paper = $3 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        key.as_str(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The PDF of a certificate; `None` while it is being drawn.
pub async fn paper_of_certificate(tx: &mut TenantTx, id: ErasureId) -> Result<Option<Paper>> {
    certificate_of(tx, id).await?;
    let key = sqlx::query_scalar!(
        "SELECT certificate_paper FROM patient_erasures WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
    )
    .fetch_one(tx.conn())
    .await?;
    key.map(|key| Ok(Paper { key: ObjectKey::parse(&key)?, file_name: format!("erasure-{id}.pdf") }))
        .transpose()
}

/// The practices that have somebody to erase now, or keep something whose time is over.
pub async fn due_tenants(tx: &mut SystemTx) -> Result<Vec<TenantId>> {
    let now = tx.now();
    Ok(sqlx::query_scalar!(
        r#"SELECT tenant_id AS "tenant!: TenantId" FROM patient_erasures
           WHERE status = 'running' OR (status = 'pending' AND due_at <= $1)
           UNION SELECT tenant_id FROM retained WHERE kept_until < $1::timestamptz::date"#,
        now,
    )
    .fetch_all(tx.conn())
    .await?)
}
