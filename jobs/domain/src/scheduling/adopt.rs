//! Appointments that were agreed elsewhere and come with a practice that moves in: past ones and cancelled ones too, outside
//! the availability too. Their patients know of them, so they are not confirmed; what is coming is reminded of.

use chrono::{DateTime, Utc};

use super::{AppointmentStatus, NewAppointment, appointment::refused, parties::lock_parties, slot::Slot};
use crate::{
    audit,
    db::TenantTx,
    error::Result,
    field::Reason,
    ids::AppointmentId,
    notifications::{self, Occasion, Subject},
    tenants::Settings,
};

/// From when to when an appointment is, whether it is past or not.
pub(crate) fn adopted_times(
    new: &NewAppointment,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let slot = Slot::past_too(new, settings.zone(), now)?;
    Ok((slot.starts_at, slot.ends_at))
}

/// Takes over an appointment as it was agreed.
pub(crate) async fn adopt(
    tx: &mut TenantTx,
    settings: &Settings,
    new: &NewAppointment,
    status: AppointmentStatus,
) -> Result<AppointmentId> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let slot = Slot::past_too(new, settings.zone(), now)?;
    let contact = lock_parties(tx, new).await?;
    let id = AppointmentId::new(now);
    sqlx::query!(
        "INSERT INTO appointments (tenant_id, id, patient_id, practitioner_id, starts_at, ends_at, starts_local,
                                   time_zone, created_at, updated_at, reason, status, cancelled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::timestamptz, $9, $10, $11, CASE WHEN $11 = 'cancelled' THEN $9::timestamptz END)",
        tenant.0,
        id.0,
        new.patient_id.0,
        new.practitioner_id.0,
        slot.starts_at,
        slot.ends_at,
        slot.starts_local,
        slot.zone.name(),
        now,
        new.reason.as_ref().map(Reason::as_str),
        status.as_str(),
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if status == AppointmentStatus::Scheduled && slot.starts_at > now {
        let subject = Subject {
            appointment: id,
            sequence: 0,
            starts_at: slot.starts_at,
            patient: new.patient_id,
            contact,
        };
        notifications::announce(tx, settings, &subject, Occasion::Replanned).await?;
    }
    audit::record(tx, "appointment.adopt", "appointment", id.0).await?;
    Ok(id)
}
