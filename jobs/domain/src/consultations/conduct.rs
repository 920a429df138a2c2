//! From booked to over: confirmed, begun, ended, cancelled or missed. Each step is checked under the consultation's lock; what
//! ends counts at once.

use chrono::{DateTime, Duration, Utc};
use deserr::Deserr;
use utoipa::ToSchema;

use super::{Consultation, ConsultationStatus, EventKind, consultation::get, event::note};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::Reason,
    ids::{AppointmentId, ConsultationId},
    scheduling,
};

/// How long before its time a consultation may begin.
const EARLIEST: Duration = Duration::minutes(30);

/// Why a consultation does not take place.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct CancelConsultation {
    /// The reason, for the other side; the employer never reads it.
    pub reason: Reason,
}

struct Present {
    appointment: AppointmentId,
    status: ConsultationStatus,
    version: i32,
    starts_at: DateTime<Utc>,
}

impl Present {
    /// Refuses a step from a state that it does not lead from.
    fn must_be(&self, states: &[ConsultationStatus], code: &'static str, detail: &str) -> Result<()> {
        if states.contains(&self.status) { Ok(()) } else { Err(Error::conflict(code, detail)) }
    }
}

const OPEN: [ConsultationStatus; 2] = [ConsultationStatus::Scheduled, ConsultationStatus::Confirmed];

/// Locks the appointment and then its consultation, in the order in which cancelling the appointment does.
async fn lock(tx: &mut TenantTx, id: ConsultationId, version: Option<i32>) -> Result<Present> {
    sqlx::query!(
        "SELECT a.id FROM appointments a JOIN consultations c ON c.tenant_id = a.tenant_id AND c.appointment_id = a.id
         WHERE c.tenant_id = $1 AND c.id = $2 FOR NO KEY UPDATE OF a",
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let present = sqlx::query_as!(
        Present,
        r#"SELECT c.appointment_id AS "appointment: AppointmentId", c.status AS "status: ConsultationStatus", c.version,
                  a.starts_at
           FROM consultations c JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
           WHERE c.tenant_id = $1 AND c.id = $2 FOR NO KEY UPDATE OF c"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("consultation"))?;
    if version.is_some_and(|version| version != present.version) {
        return Err(Error::Changed("consultation"));
    }
    Ok(present)
}

/// What every step ends with: its event, its line in the trail, the consultation as it stands now.
async fn done(tx: &mut TenantTx, id: ConsultationId, kind: EventKind, action: &str) -> Result<Consultation> {
    note(tx, id, kind).await?;
    audit::record(tx, action, "consultation", id.0).await?;
    get(tx, id).await
}

/// The practitioner says that the consultation takes place.
pub async fn confirm(tx: &mut TenantTx, id: ConsultationId, version: i32) -> Result<Consultation> {
    let present = lock(tx, id, Some(version)).await?;
    let expected = "only a consultation that is booked and not confirmed can be confirmed";
    present.must_be(&[ConsultationStatus::Scheduled], "consultation_not_scheduled", expected)?;
    let now = tx.now();
    sqlx::query!(
        "UPDATE consultations SET status = 'confirmed', confirmed_at = $3, version = version + 1, updated_at = $3
         WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    done(tx, id, EventKind::Confirmed, "consultation.confirm").await
}

/// Begins a consultation, half an hour before its time at the earliest.
pub async fn start(tx: &mut TenantTx, id: ConsultationId, version: i32) -> Result<Consultation> {
    let present = lock(tx, id, Some(version)).await?;
    present.must_be(&OPEN, "consultation_not_open", "only a consultation that is to take place can begin")?;
    let now = tx.now();
    if now < present.starts_at - EARLIEST {
        let minutes = EARLIEST.num_minutes();
        let detail = format!("a consultation begins {minutes} minutes before its time at the earliest");
        return Err(Error::conflict("consultation_too_early", detail));
    }
    sqlx::query!(
        "UPDATE consultations SET status = 'in_progress', started_at = $3, version = version + 1, updated_at = $3
         WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    done(tx, id, EventKind::Started, "consultation.start").await
}

/// Ends a consultation: from now on it counts, by the minutes that it took.
pub async fn end(tx: &mut TenantTx, id: ConsultationId, version: i32) -> Result<Consultation> {
    let present = lock(tx, id, Some(version)).await?;
    let expected = "only a consultation that has begun can end";
    present.must_be(&[ConsultationStatus::InProgress], "consultation_not_begun", expected)?;
    let now = tx.now();
    sqlx::query!(
        "UPDATE consultations
         SET status = 'completed', billing_status = 'validated', ended_at = $3, version = version + 1, updated_at = $3
         WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    done(tx, id, EventKind::Ended, "consultation.end").await
}

/// Cancels a consultation and its appointment, whose patient is told as of any.
pub async fn cancel(
    tx: &mut TenantTx,
    id: ConsultationId,
    version: i32,
    why: &CancelConsultation,
) -> Result<Consultation> {
    let present = lock(tx, id, Some(version)).await?;
    present.must_be(
        &OPEN,
        "consultation_not_open",
        "only a consultation that is to take place can be cancelled",
    )?;
    let (now, by) = (tx.now(), tx.actor().user.map(|user| user.0));
    sqlx::query!(
        "UPDATE consultations
         SET status = 'cancelled', cancelled_at = $3, cancelled_by = $4, cancel_reason = $5, version = version + 1,
             updated_at = $3
         WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        now,
        by,
        why.reason.as_str(),
    )
    .execute(tx.conn())
    .await?;
    // Last, so that the trigger upon it finds nothing left to cancel.
    scheduling::cancel(tx, present.appointment).await?;
    done(tx, id, EventKind::Cancelled, "consultation.cancel").await
}

/// Notes that the employee did not come to a consultation whose time has come; twice is the same as once.
pub async fn note_no_show(tx: &mut TenantTx, id: ConsultationId) -> Result<Consultation> {
    let present = lock(tx, id, None).await?;
    if present.status == ConsultationStatus::NoShow {
        return get(tx, id).await;
    }
    present.must_be(
        &OPEN,
        "consultation_not_open",
        "only a consultation that was to take place can be missed",
    )?;
    // Refuses one whose time has not come.
    scheduling::note_no_show(tx, present.appointment).await?;
    let (now, by) = (tx.now(), tx.actor().user.map(|user| user.0));
    sqlx::query!(
        "UPDATE consultations
         SET status = 'no_show', no_show_at = $3, no_show_by = $4, version = version + 1, updated_at = $3
         WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        now,
        by,
    )
    .execute(tx.conn())
    .await?;
    done(tx, id, EventKind::NoShow, "consultation.no_show").await
}
