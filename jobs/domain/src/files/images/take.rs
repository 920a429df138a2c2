//! An attempt to take a picture that was sent: what it may write is noted before it is written, and of two attempts only the
//! last can end it.

use permanence_queue::NewJob;
use uuid::Uuid;

use super::{ImageMediaType, ImageStatus, row::consenting};
use crate::{
    db::TenantTx,
    error::Result,
    files::jobs::ClearImage,
    ids::{ImageId, PatientId},
    storage::ObjectKey,
};

/// One attempt.
#[derive(Debug, Clone)]
pub struct Attempt {
    image: ImageId,
    patient: PatientId,
    run: i32,
    /// What is read.
    pub source: ObjectKey,
    /// What it must be.
    pub media_type: ImageMediaType,
    /// How many bytes it must have.
    pub bytes: i64,
    /// The hash that it must have, if one is known.
    pub sha256: Option<Vec<u8>>,
    /// Where the picture goes; `None` where it is there already and has no thumbnail.
    pub object: Option<ObjectKey>,
    /// Where its thumbnail goes.
    pub thumbnail: ObjectKey,
}

/// What was taken.
#[derive(Debug)]
pub struct Taken {
    /// Its hash.
    pub sha256: Vec<u8>,
}

/// Why a picture is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing lies where it should have been sent.
    NotUploaded,
    /// It has more or fewer bytes than were announced.
    WrongSize,
    /// It has another hash.
    WrongHash,
    /// It is a picture of another type.
    WrongType,
    /// It is none, is cut short, or too large.
    NotAPicture,
    /// The patient withdrew the consent meanwhile.
    ConsentWithdrawn,
}

impl Refusal {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotUploaded => "not_uploaded",
            Self::WrongSize => "wrong_size",
            Self::WrongHash => "wrong_hash",
            Self::WrongType => "wrong_type",
            Self::NotAPicture => "not_a_picture",
            Self::ConsentWithdrawn => "consent_withdrawn",
        }
    }
}

/// Begins an attempt; `None` where there is nothing to take. Whoever was at it before can end nothing any more.
pub async fn begin(tx: &mut TenantTx, id: ImageId) -> Result<Option<Attempt>> {
    let tenant = tx.tenant();
    let (object, thumbnail) = (
        ObjectKey::of("images", tenant, &Uuid::new_v4().to_string())?,
        ObjectKey::of("thumbnails", tenant, &Uuid::new_v4().to_string())?,
    );
    let row = sqlx::query!(
        r#"UPDATE images i
           SET run = run + 1,
               leftovers = leftovers || CASE WHEN status = 'checking' THEN ARRAY[$3, $4] ELSE ARRAY[$4] END::text[]
           FROM patients p
           WHERE i.tenant_id = $1 AND i.id = $2 AND p.tenant_id = i.tenant_id AND p.id = i.patient_id
             AND p.imaging_consent AND p.deleted_at IS NULL AND i.retracted_at IS NULL
             AND (status = 'checking' OR status = 'available' AND thumbnail_key IS NULL)
           RETURNING i.patient_id AS "patient_id: PatientId", status AS "status: ImageStatus", run,
                     media_type AS "media_type: ImageMediaType", bytes, sha256, upload_key, object_key"#,
        tenant.0,
        id.0,
        object.as_str(),
        thumbnail.as_str(),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let source = ObjectKey::parse(row.object_key.as_ref().unwrap_or(&row.upload_key))?;
    Ok(Some(Attempt {
        image: id,
        patient: row.patient_id,
        run: row.run,
        source,
        media_type: row.media_type,
        bytes: row.bytes,
        sha256: row.sha256,
        object: (row.status == ImageStatus::Checking).then_some(object),
        thumbnail,
    }))
}

/// Ends an attempt: the picture can be seen, and what the client sent can go. Gives whether this was still the last attempt.
pub async fn available(tx: &mut TenantTx, attempt: &Attempt, taken: &Taken) -> Result<bool> {
    let tenant = tx.tenant();
    // The patient's row first, as whoever withdraws the consent locks them: it is withdrawn before this, or sees this.
    sqlx::query!(
        "SELECT id FROM patients WHERE tenant_id = $1 AND id = $2 FOR SHARE",
        tenant.0,
        attempt.patient.0
    )
    .fetch_optional(tx.conn())
    .await?;
    if !consenting(tx, attempt.patient).await? {
        return refuse(tx, attempt, Refusal::ConsentWithdrawn).await;
    }
    let (object, thumbnail) = (attempt.object.as_ref().map(ObjectKey::as_str), attempt.thumbnail.as_str());
    let ended = sqlx::query!(
        "UPDATE images
         SET status = 'available', sha256 = $4, object_key = coalesce($5, object_key), thumbnail_key = $6,
             leftovers = array_remove(array_remove(leftovers, $5), $6)
                         || CASE WHEN status = 'checking' THEN ARRAY[upload_key] ELSE '{}' END
         WHERE tenant_id = $1 AND id = $2 AND run = $3",
        tenant.0,
        attempt.image.0,
        attempt.run,
        taken.sha256,
        object,
        thumbnail,
    )
    .execute(tx.conn())
    .await?;
    clear_later(tx, attempt).await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends an attempt: the picture is not kept, and the reason is. Gives whether this was still the last attempt.
pub async fn refuse(tx: &mut TenantTx, attempt: &Attempt, why: Refusal) -> Result<bool> {
    let ended = sqlx::query!(
        "UPDATE images SET status = 'refused', reason = $4, leftovers = array_append(leftovers, upload_key)
         WHERE tenant_id = $1 AND id = $2 AND run = $3 AND status = 'checking'",
        tx.tenant().0,
        attempt.image.0,
        attempt.run,
        why.as_str(),
    )
    .execute(tx.conn())
    .await?;
    clear_later(tx, attempt).await?;
    Ok(ended.rows_affected() == 1)
}

async fn clear_later(tx: &mut TenantTx, attempt: &Attempt) -> Result<()> {
    tx.enqueue(NewJob::of(&ClearImage { image_id: attempt.image })?).await?;
    Ok(())
}
