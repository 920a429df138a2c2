//! From an appointment to its invoice: whether it may be invoiced, by what price, and that it is only once.

use chrono::{DateTime, NaiveDate, Utc};

use super::{InvoiceContent, service};
use crate::{
    db::TenantTx,
    error::{Error, Problem, Result},
    field::Day,
    ids::{AppointmentId, InvoiceId, PatientId, PractitionerId, ServiceId},
    scheduling::AppointmentStatus,
    tenants::Settings,
};

struct Held {
    patient_id: PatientId,
    practitioner_id: PractitionerId,
    service_id: Option<ServiceId>,
    status: AppointmentStatus,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    day: NaiveDate,
}

/// Fills in what an appointment tells: patient, practitioner, day, and the line of its service where none is written.
/// It must be over and stand; it is held against changes until the end of the transaction.
pub(super) async fn complete(
    tx: &mut TenantTx,
    settings: &Settings,
    id: AppointmentId,
    content: &mut InvoiceContent,
) -> Result<()> {
    let now = tx.now();
    let held = sqlx::query_as!(
        Held,
        r#"SELECT patient_id AS "patient_id: PatientId", practitioner_id AS "practitioner_id: PractitionerId",
                  service_id AS "service_id: ServiceId", status AS "status: AppointmentStatus", starts_at, ends_at,
                  starts_local::date AS "day!"
           FROM appointments WHERE tenant_id = $1 AND id = $2 FOR SHARE"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| unknown(id))?;
    if held.status == AppointmentStatus::Cancelled {
        return Err(Error::conflict("appointment_cancelled", "a cancelled appointment is not invoiced"));
    }
    if held.ends_at > now {
        return Err(Error::conflict("appointment_not_over", "the appointment is not over yet"));
    }
    if content.patient_id.is_some_and(|patient| patient != held.patient_id) {
        return Err(Error::invalid("patient_id", "another_patient", "the appointment's patient, or none"));
    }
    content.patient_id = Some(held.patient_id);
    content.practitioner_id.get_or_insert(held.practitioner_id);
    if content.supplied_from.is_none() && content.supplied_until.is_none() {
        content.supplied_from = Some(Day(held.day));
    }
    if content.lines.is_empty() {
        let minutes = (held.ends_at - held.starts_at).num_minutes();
        let line = service::line(tx, settings, held.service_id, held.practitioner_id, minutes).await?;
        content.lines.push(line.ok_or_else(|| {
            Error::invalid("lines", "no_service", "lines, or a service that such appointments are charged by")
        })?);
    }
    Ok(())
}

fn unknown(id: AppointmentId) -> Error {
    let expected = "an appointment of the practice";
    Error::Invalid(crate::Invalid(vec![
        Problem::new("appointment_id", "unknown_appointment", expected).read(id),
    ]))
}

/// Notes which invoice an appointment is on; of two at once the second waits here and is refused.
pub(super) async fn link(tx: &mut TenantTx, invoice: InvoiceId, id: Option<AppointmentId>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    let linked = sqlx::query!(
        "INSERT INTO appointment_invoices (tenant_id, appointment_id, invoice_id) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
        tx.tenant().0,
        id.0,
        invoice.0,
    )
    .execute(tx.conn())
    .await?;
    if linked.rows_affected() == 0 {
        return Err(Error::conflict("appointment_invoiced", "the appointment is on another invoice already"));
    }
    Ok(())
}

/// Frees the appointment of an invoice that does not claim it any more.
pub(super) async fn unlink(tx: &mut TenantTx, invoice: InvoiceId) -> Result<()> {
    sqlx::query!(
        "DELETE FROM appointment_invoices WHERE tenant_id = $1 AND invoice_id = $2",
        tx.tenant().0,
        invoice.0,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
