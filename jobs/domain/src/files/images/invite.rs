//! From the announcement of a picture to the job that looks at it.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use permanence_queue::NewJob;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ImageMediaType, ImageStatus, NewImage,
    image::subject,
    row::{consenting, lock},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    files::jobs::TakeImage,
    ids::{ImageId, PatientId},
    patients,
    scheduling::today,
    storage::{ObjectKey, PutLink, Storage},
    vault::{Sealed, Vault},
};

/// How long the client may send a picture.
const UPLOAD: Duration = Duration::from_mins(15);

/// A picture that is awaited, and where it is to be sent: with PUT, exactly these headers, and these bytes alone.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// The picture.
    pub id: ImageId,
    /// Whose.
    pub patient_id: PatientId,
    /// How it stands.
    pub status: ImageStatus,
    /// Where to PUT it.
    pub upload_url: String,
    /// Headers of that PUT, which the store compares.
    pub upload_headers: BTreeMap<String, String>,
    /// Until when.
    pub upload_until: DateTime<Utc>,
}

/// A picture that a job looks at.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImageAsked {
    /// The picture.
    pub id: ImageId,
    /// Whose.
    pub patient_id: PatientId,
    /// How it stands.
    pub status: ImageStatus,
}

/// Announces a picture of a patient who consents: gives where it is to be sent.
pub async fn invite(
    tx: &mut TenantTx,
    vault: &Vault,
    storage: &Storage,
    patient: PatientId,
    new: &NewImage,
) -> Result<Invitation> {
    new.check(today(tx).await?)?;
    if !patients::get(tx, patient).await?.consents.imaging {
        return Err(not_consented());
    }
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let (id, upload_until, bytes) = (ImageId::new(now), now + UPLOAD, i64::from(new.bytes.get()));
    let Sealed(sealed) = new.shown().seal(&vault.writing(tx, subject(patient)).await?, tenant, id)?;
    let key = ObjectKey::of("uploads", tenant, &id.to_string())?;
    sqlx::query!(
        "INSERT INTO images (tenant_id, id, patient_id, status, media_type, bytes, sha256, sealed, upload_key, upload_until,
                             created_at, created_by)
         VALUES ($1, $2, $3, 'awaiting', $4, $5, $6, $7, $8, $9, $10, $11)",
        tenant.0,
        id.0,
        patient.0,
        new.media_type as ImageMediaType,
        bytes,
        new.sha256.map(|hash| hash.0.to_vec()),
        sealed,
        key.as_str(),
        upload_until,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    audit::record(tx, "image.invite", "image", id.0).await?;
    let PutLink { url, headers } = storage.put_link(&key, new.media_type.as_str(), bytes, UPLOAD).await?;
    let (status, upload_headers) = (ImageStatus::Awaiting, headers);
    Ok(Invitation { id, patient_id: patient, status, upload_url: url, upload_headers, upload_until })
}

fn not_consented() -> Error {
    Error::conflict("imaging_not_consented", "the patient has not consented to pictures, or no longer does")
}

/// Has a picture that was sent looked at.
pub async fn complete(tx: &mut TenantTx, id: ImageId) -> Result<ImageAsked> {
    let image = lock(tx, id).await?;
    if image.status != ImageStatus::Awaiting || image.retracted {
        return Err(Error::conflict(
            "image_not_awaited",
            "the picture was completed, refused or retracted before",
        ));
    }
    if !consenting(tx, image.patient).await? {
        return Err(not_consented());
    }
    let tenant = tx.tenant();
    sqlx::query!("UPDATE images SET status = 'checking' WHERE tenant_id = $1 AND id = $2", tenant.0, id.0)
        .execute(tx.conn())
        .await?;
    tx.enqueue(NewJob::of(&TakeImage { image_id: id })?).await?;
    audit::record(tx, "image.complete", "image", id.0).await?;
    Ok(ImageAsked { id, patient_id: image.patient, status: ImageStatus::Checking })
}
