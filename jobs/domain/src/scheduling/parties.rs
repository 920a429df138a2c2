//! Who and what an appointment needs: found and locked before it is booked or moved.

use super::NewAppointment;
use crate::{
    db::TenantTx,
    error::{Problem, Problems, Result},
    notifications::Contact,
};

/// Locks patient, practitioner and room in this order: bookings of one of them take turns. The exclusion constraints
/// would refuse a clash all the same, but two that insert at once would wait for each other until the deadlock timer.
pub(super) async fn lock_parties(tx: &mut TenantTx, new: &NewAppointment) -> Result<Contact> {
    let tenant = tx.tenant().0;
    let patient = sqlx::query_as!(
        Contact,
        "SELECT c.phone, c.email
         FROM patients p JOIN contacts c ON c.tenant_id = p.tenant_id AND c.patient_id = p.id
         WHERE p.tenant_id = $1 AND p.id = $2 AND p.deleted_at IS NULL FOR NO KEY UPDATE OF p",
        tenant,
        new.patient_id.0
    )
    .fetch_optional(tx.conn())
    .await?;
    let practitioner = sqlx::query_scalar!(
        "SELECT id FROM practitioners WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE",
        tenant,
        new.practitioner_id.0
    )
    .fetch_optional(tx.conn())
    .await?;
    let mut problems = Problems::default();
    if patient.is_none() {
        problems.push(
            Problem::new("patient_id", "unknown_patient", "a patient of the practice").read(new.patient_id),
        );
    }
    if practitioner.is_none() {
        let expected = "a practitioner of the practice";
        problems.push(
            Problem::new("practitioner_id", "unknown_practitioner", expected).read(new.practitioner_id),
        );
    }
    if let Some(room) = new.room_id {
        let found = sqlx::query_scalar!(
            "SELECT id FROM rooms WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE",
            tenant,
            room.0
        )
        .fetch_optional(tx.conn())
        .await?;
        if found.is_none() {
            problems.push(Problem::new("room_id", "unknown_room", "a room of the practice").read(room));
        }
    }
    if let Some(service) = new.service_id {
        let found = sqlx::query_scalar!(
            "SELECT id FROM services WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR KEY SHARE",
            tenant,
            service.0
        )
        .fetch_optional(tx.conn())
        .await?;
        if found.is_none() {
            let expected = "a service of the practice";
            problems.push(Problem::new("service_id", "unknown_service", expected).read(service));
        }
    }
    problems.finish()?;
    Ok(patient.unwrap_or_default())
}
