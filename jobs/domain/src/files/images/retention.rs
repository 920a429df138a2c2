//! The end of what the law keeps: pictures of somebody who was erased are removed, their objects first, their rows once those are gone.

use permanence_queue::NewJob;

use crate::{
    db::TenantTx,
    error::Result,
    files::jobs::ClearImage,
    ids::{ImageId, PatientId},
};

/// Gives every picture of a patient up whose time is over, and has it cleared; gives how many.
pub(crate) async fn retention_over(tx: &mut TenantTx, patient: PatientId) -> Result<u64> {
    let images = sqlx::query_scalar!(
        r#"UPDATE images
           SET status = 'refused', reason = 'retention_over', run = run + 1, object_key = NULL, thumbnail_key = NULL,
               leftovers = leftovers || array_remove(ARRAY[object_key, thumbnail_key], NULL)
           WHERE tenant_id = $1 AND patient_id = $2
           RETURNING id AS "id: ImageId""#,
        tx.tenant().0,
        patient.0,
    )
    .fetch_all(tx.conn())
    .await?;
    let jobs = images.iter().map(|image_id| NewJob::of(&ClearImage { image_id: *image_id }));
    let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
    tx.enqueue_all(jobs).await?;
    Ok(images.len() as u64)
}

/// Deletes a picture's row whose time is over and of which nothing is left; twice is the same as once.
pub async fn forget(tx: &mut TenantTx, id: ImageId) -> Result<()> {
    sqlx::query!(
        "DELETE FROM images WHERE tenant_id = $1 AND id = $2 AND reason = 'retention_over' AND leftovers = '{}'",
        tx.tenant().0,
        id.0,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
