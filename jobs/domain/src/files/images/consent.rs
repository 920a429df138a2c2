//! What follows when a patient withdraws the consent to pictures, or gives it again.

use permanence_queue::NewJob;

use crate::{
    db::TenantTx,
    error::Result,
    files::jobs::{ClearImage, TakeImage},
    ids::{ImageId, PatientId},
};

/// No picture that is on its way arrives any more, and thumbnails are removed. What is kept is kept (CSP R1112-7), and shown no
/// more. The patient's row is locked by whoever changes the consent.
pub(crate) async fn withdrawn(tx: &mut TenantTx, patient: PatientId) -> Result<()> {
    let images = sqlx::query_scalar!(
        r#"UPDATE images
           SET run = run + 1, thumbnail_key = NULL,
               status = CASE WHEN status IN ('awaiting', 'checking') THEN 'refused' ELSE status END,
               reason = CASE WHEN status IN ('awaiting', 'checking') THEN 'consent_withdrawn' ELSE reason END,
               leftovers = leftovers || array_remove(ARRAY[thumbnail_key,
                   CASE WHEN status IN ('awaiting', 'checking') THEN upload_key END], NULL)
           WHERE tenant_id = $1 AND patient_id = $2
             AND (status IN ('awaiting', 'checking') OR thumbnail_key IS NOT NULL)
           RETURNING id AS "id: ImageId""#,
        tx.tenant().0,
        patient.0,
    )
    .fetch_all(tx.conn())
    .await?;
    let jobs = images.into_iter().map(|image_id| NewJob::of(&ClearImage { image_id }));
    let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
    tx.enqueue_all(jobs).await?;
    Ok(())
}

/// What is kept can be shown again: its thumbnails are made anew.
pub(crate) async fn given(tx: &mut TenantTx, patient: PatientId) -> Result<()> {
    let images = sqlx::query_scalar!(
        r#"SELECT id AS "id: ImageId" FROM images
           WHERE tenant_id = $1 AND patient_id = $2 AND status = 'available' AND thumbnail_key IS NULL
             AND retracted_at IS NULL"#,
        tx.tenant().0,
        patient.0,
    )
    .fetch_all(tx.conn())
    .await?;
    let jobs = images.into_iter().map(|image_id| NewJob::of(&TakeImage { image_id }));
    let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
    tx.enqueue_all(jobs).await?;
    Ok(())
}
