//! Patients who did not come. It is a mark on an appointment that stands; its time stays taken.

use super::{AppointmentStatus, appointment::lock};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    ids::AppointmentId,
};

/// Notes that the patient did not come to an appointment that has begun; twice is the same as once.
pub async fn note_no_show(tx: &mut TenantTx, id: AppointmentId) -> Result<()> {
    let present = lock(tx, id).await?;
    if present.status == AppointmentStatus::Cancelled {
        return Err(Error::conflict(
            "appointment_cancelled",
            "nobody was to come to a cancelled appointment",
        ));
    }
    if present.starts_at > tx.now() {
        return Err(Error::conflict("appointment_not_begun", "the patient may still come"));
    }
    mark(tx, id, true).await
}

/// Takes that back; twice is the same as once.
pub async fn take_back_no_show(tx: &mut TenantTx, id: AppointmentId) -> Result<()> {
    lock(tx, id).await?;
    mark(tx, id, false).await
}

/// Sets the mark under the appointment's lock, unless it stands so already.
async fn mark(tx: &mut TenantTx, id: AppointmentId, missed: bool) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let marked = sqlx::query!(
        "UPDATE appointments SET no_show_at = CASE WHEN $3 THEN $4::timestamptz END, updated_at = $4, version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND (no_show_at IS NOT NULL) <> $3",
        tenant.0,
        id.0,
        missed,
        now,
    )
    .execute(tx.conn())
    .await?;
    if marked.rows_affected() == 0 {
        return Ok(());
    }
    let action = if missed { "appointment.no_show" } else { "appointment.no_show_taken_back" };
    audit::record(tx, action, "appointment", id.0).await
}
