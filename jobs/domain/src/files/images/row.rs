//! Pictures as they are read, locked and retracted.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use permanence_queue::NewJob;
use utoipa::IntoParams;

use super::{
    Image, ImageMediaType, ImageStatus,
    image::{Shown, subject},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    files::jobs::ClearImage,
    ids::{ImageId, PatientId, TenantId, UserId},
    page::{Count, Flag, Page, PageQuery},
    patients,
    storage::ObjectKey,
    vault::{SubjectKey, Vault},
};

/// Which of a patient's pictures.
#[derive(Debug, Clone, Copy, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ImageQuery {
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

struct Row {
    id: ImageId,
    patient_id: PatientId,
    status: ImageStatus,
    reason: Option<String>,
    media_type: ImageMediaType,
    bytes: i64,
    sealed: Vec<u8>,
    object_key: Option<String>,
    thumbnail_key: Option<String>,
    created_at: DateTime<Utc>,
    created_by: Option<UserId>,
    retracted_at: Option<DateTime<Utc>>,
    retracted_by: Option<UserId>,
    consent: bool,
}

impl Row {
    fn open(self, key: &SubjectKey, tenant: TenantId) -> Result<Image> {
        let Shown { taken_on, title, body_part } = Shown::open(key, tenant, self.id, self.sealed)?;
        let shown = self.consent && self.retracted_at.is_none();
        let thumbnail = self.thumbnail_key.as_deref().map(ObjectKey::parse).transpose()?;
        let object = self.object_key.as_deref().map(ObjectKey::parse).transpose()?;
        Ok(Image {
            id: self.id,
            patient_id: self.patient_id,
            status: self.status,
            reason: self.reason,
            media_type: self.media_type,
            bytes: self.bytes,
            taken_on: taken_on.0,
            title,
            body_part,
            created_at: self.created_at,
            created_by: self.created_by,
            retracted_at: self.retracted_at,
            retracted_by: self.retracted_by,
            links: None,
            objects: object.filter(|_| shown).map(|object| (object, thumbnail)),
        })
    }
}

/// Selects pictures with what they are shown by; the text is what follows the join with their patient.
macro_rules! select_images {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT i.id AS "id: ImageId", i.patient_id AS "patient_id: PatientId", i.status AS "status: ImageStatus", i.reason,
                      i.media_type AS "media_type: ImageMediaType", i.bytes, i.sealed, i.object_key, i.thumbnail_key,
                      i.created_at, i.created_by AS "created_by: UserId", i.retracted_at,
                      i.retracted_by AS "retracted_by: UserId", p.imaging_consent AS consent
               FROM images i JOIN patients p ON p.tenant_id = i.tenant_id AND p.id = i.patient_id "#
                + $rest,
            $($argument),*
        )
    };
}

/// A picture with what it shows. That it was read is in the audit trail.
pub async fn read(tx: &mut TenantTx, vault: &Vault, id: ImageId) -> Result<Image> {
    let tenant = tx.tenant();
    let row = select_images!("WHERE i.tenant_id = $1 AND i.id = $2 AND p.deleted_at IS NULL", tenant.0, id.0)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(Error::NotFound("image"))?;
    audit::record(tx, "image.read", "image", id.0).await?;
    let key = vault.reading(tx, subject(row.patient_id)).await?;
    row.open(&key, tenant)
}

/// A page of a patient's pictures, the newest first. That they were read is in the audit trail.
pub async fn list(
    tx: &mut TenantTx,
    vault: &Vault,
    patient: PatientId,
    query: &ImageQuery,
) -> Result<Page<Image>> {
    patients::get(tx, patient).await?;
    let (tenant, page) = (tx.tenant(), PageQuery { page: query.page, limit: query.limit });
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM images
           WHERE tenant_id = $1 AND patient_id = $2 AND ($3 OR retracted_at IS NULL)"#,
        tenant.0,
        patient.0,
        query.retracted.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let rows = select_images!(
        "WHERE i.tenant_id = $1 AND i.patient_id = $2 AND ($3 OR i.retracted_at IS NULL)
         ORDER BY i.id DESC LIMIT $4 OFFSET $5",
        tenant.0,
        patient.0,
        query.retracted.0,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    audit::record(tx, "image.list", "patient", patient.0).await?;
    if rows.is_empty() {
        return Ok(Page::new(Vec::new(), page, total));
    }
    let key = vault.reading(tx, subject(patient)).await?;
    let items = rows.into_iter().map(|row| row.open(&key, tenant));
    Ok(Page::new(items.collect::<Result<_>>()?, page, total))
}

/// A picture that is kept, for whose it is.
#[derive(Debug)]
pub struct HeldImage {
    /// The picture.
    pub image: Image,
    /// Where it lies, whoever may be shown it; none where it never came or was refused.
    pub object: Option<ObjectKey>,
}

/// Every picture of a patient, for the patient, the oldest first: also those that are shown to nobody any more. That they were read is
/// for the caller to note.
pub async fn every_image(tx: &mut TenantTx, vault: &Vault, patient: PatientId) -> Result<Vec<HeldImage>> {
    let tenant = tx.tenant();
    let rows =
        select_images!("WHERE i.tenant_id = $1 AND i.patient_id = $2 ORDER BY i.id", tenant.0, patient.0)
            .fetch_all(tx.conn())
            .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let key = vault.reading(tx, subject(patient)).await?;
    let held = rows.into_iter().map(|row| {
        let object = row.object_key.as_deref().map(ObjectKey::parse).transpose()?;
        Ok(HeldImage { image: row.open(&key, tenant)?, object })
    });
    held.collect()
}

/// What a change of a picture goes by.
pub(super) struct Locked {
    pub(super) patient: PatientId,
    pub(super) status: ImageStatus,
    pub(super) retracted: bool,
}

/// A picture of a patient who stands, locked until the transaction ends.
pub(super) async fn lock(tx: &mut TenantTx, id: ImageId) -> Result<Locked> {
    let row = sqlx::query!(
        r#"SELECT i.patient_id AS "patient_id: PatientId", i.status AS "status: ImageStatus", i.retracted_at
           FROM images i JOIN patients p ON p.tenant_id = i.tenant_id AND p.id = i.patient_id AND p.deleted_at IS NULL
           WHERE i.tenant_id = $1 AND i.id = $2 FOR NO KEY UPDATE OF i"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("image"))?;
    Ok(Locked { patient: row.patient_id, status: row.status, retracted: row.retracted_at.is_some() })
}

/// Whether the patient consents to pictures.
pub(super) async fn consenting(tx: &mut TenantTx, patient: PatientId) -> Result<bool> {
    let consent = sqlx::query_scalar!(
        "SELECT imaging_consent FROM patients WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
        tx.tenant().0,
        patient.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(consent.unwrap_or(false))
}

/// Retracts a picture: it is kept (CSP R1112-7) where it was available, and shown no more; its thumbnail goes.
pub async fn retract(tx: &mut TenantTx, id: ImageId) -> Result<()> {
    if lock(tx, id).await?.retracted {
        return Err(Error::conflict("image_retracted", "the picture was retracted before"));
    }
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    sqlx::query!(
        "UPDATE images
         SET retracted_at = $3, retracted_by = $4, run = run + 1, thumbnail_key = NULL,
             status = CASE WHEN status IN ('awaiting', 'checking') THEN 'refused' ELSE status END,
             reason = CASE WHEN status IN ('awaiting', 'checking') THEN 'retracted' ELSE reason END,
             leftovers = leftovers || array_remove(ARRAY[thumbnail_key,
                 CASE WHEN status IN ('awaiting', 'checking') THEN upload_key END], NULL)
         WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    tx.enqueue(NewJob::of(&ClearImage { image_id: id })?).await?;
    audit::record(tx, "image.retract", "image", id.0).await
}
