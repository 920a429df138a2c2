//! Booking by an employee: checked as the company, done in the practice by the rules of every booking, in one transaction.

use deserr::Deserr;
use utoipa::ToSchema;

use super::{Consultation, EventKind, consultation::get, event::note, offer::practice_of};
use crate::{
    audit,
    db::{SystemTx, TenantTx},
    error::{Error, Invalid, Result},
    field::{EmailAddress, Language, Moment, PersonName, Reason},
    identity::Role,
    ids::{AppointmentId, ConsultationId, PatientId, PractitionerId, TenantId, UserId},
    patients::{self, NewConsents, NewPatient},
    scheduling::{self, Appointment, NewAppointment},
    tenants,
};

/// A consultation to book.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewConsultation {
    /// Who conducts it.
    pub practitioner_id: PractitionerId,
    /// Begin: the practice's civil time (`2027-03-15T14:30`), or an instant with its offset.
    #[schema(value_type = String, example = "2027-03-15T14:30")]
    pub starts_at: Moment,
    /// End, in the same form; 5 minutes to 12 hours later.
    #[schema(value_type = String, example = "2027-03-15T15:20")]
    pub ends_at: Moment,
    /// Why; the practice reads it, the employer never.
    #[deserr(default)]
    pub reason: Option<Reason>,
    /// Agrees to the practice's mails about appointments, at the address one signs in with. Counts at the first booking
    /// with a practice, which keeps it with the patient.
    #[deserr(default)]
    #[schema(default = false)]
    pub email_reminders: bool,
}

/// Who books.
struct Booker {
    company: TenantId,
    company_name: String,
    user: UserId,
    email: String,
    first_name: String,
    last_name: String,
}

/// Books a consultation for the caller. The transaction ends across tenants.
pub async fn book(mut tx: TenantTx, new: &NewConsultation) -> Result<(SystemTx, Consultation)> {
    tenants::require_active(&mut tx).await?;
    let (company, user) = (tx.tenant(), tx.actor().user.ok_or(Error::NotFound("employee"))?);
    let mut tx = tx.widen().await?;
    let booker = lock_booker(&mut tx, company, user).await?;
    let practice = practice_of(&mut tx, company, new.practitioner_id).await?;
    let mut own = tx.narrow(practice).await?;
    let patient_id = patient_of(&mut own, &booker, new.email_reminders).await?;
    let appointment = NewAppointment {
        patient_id,
        practitioner_id: new.practitioner_id,
        room_id: None,
        service_id: None,
        starts_at: new.starts_at,
        ends_at: new.ends_at,
        reason: new.reason.clone(),
        outside_availability: false,
    };
    let appointment = scheduling::book(&mut own, Role::Employee, &appointment).await?;
    let id = insert(&mut own, appointment.id, &booker).await?;
    let consultation = get(&mut own, id).await?;
    let mut tx = own.widen().await?;
    refuse_elsewhere(&mut tx, &booker, &appointment).await?;
    Ok((tx, consultation))
}

/// Finds the caller as an employee, and locks them: one employee's bookings take turns, also with several practices.
async fn lock_booker(tx: &mut SystemTx, company: TenantId, user: UserId) -> Result<Booker> {
    sqlx::query_as!(
        Booker,
        r#"SELECT e.tenant_id AS "company: TenantId", t.name AS company_name, e.user_id AS "user: UserId", u.email,
                  e.first_name, e.last_name
           FROM employees e JOIN tenants t ON t.id = e.tenant_id JOIN users u ON u.id = e.user_id
           WHERE e.tenant_id = $1 AND e.user_id = $2 FOR NO KEY UPDATE OF e"#,
        company.0,
        user.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("employee"))
}

/// The patient that the employee is to this practice, registered at the first booking.
async fn patient_of(tx: &mut TenantTx, booker: &Booker, email_reminders: bool) -> Result<PatientId> {
    let tenant = tx.tenant();
    let known = sqlx::query_scalar!(
        r#"SELECT e.patient_id AS "id: PatientId"
           FROM employee_patients e JOIN patients p ON p.tenant_id = e.tenant_id AND p.id = e.patient_id
           WHERE e.tenant_id = $1 AND e.user_id = $2 AND p.deleted_at IS NULL"#,
        tenant.0,
        booker.user.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let name = |text: &str| PersonName::parse(text).map_err(|problem| Error::from(Invalid(vec![problem])));
    let email = EmailAddress::parse(&booker.email).map_err(|problem| Invalid(vec![problem]))?;
    let new = NewPatient {
        first_name: name(&booker.first_name)?,
        last_name: name(&booker.last_name)?,
        birth_date: None,
        email: Some(email),
        phone: None,
        address: None,
        language: Language::Fr,
        consents: NewConsents { reminder_sms: false, reminder_email: email_reminders, imaging: None },
    };
    let id = patients::register(tx, &new).await?.id;
    sqlx::query!(
        "INSERT INTO employee_patients (tenant_id, user_id, patient_id) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET patient_id = excluded.patient_id",
        tenant.0,
        booker.user.0,
        id.0,
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

async fn insert(tx: &mut TenantTx, appointment: AppointmentId, booker: &Booker) -> Result<ConsultationId> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let id = ConsultationId::new(now);
    sqlx::query!(
        "INSERT INTO consultations (tenant_id, id, appointment_id, company_id, company_name, employee_id, created_at,
                                    updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        tenant.0,
        id.0,
        appointment.0,
        booker.company.0,
        booker.company_name,
        booker.user.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    note(tx, id, EventKind::Scheduled).await?;
    audit::record(tx, "consultation.book", "consultation", id.0).await?;
    Ok(id)
}

/// Refuses a second consultation at the same time with another practice, whose agenda no constraint of this one sees.
async fn refuse_elsewhere(tx: &mut SystemTx, booker: &Booker, wanted: &Appointment) -> Result<()> {
    let others = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!"
           FROM consultations c JOIN appointments a ON a.tenant_id = c.tenant_id AND a.id = c.appointment_id
           WHERE c.company_id = $1 AND c.employee_id = $2 AND a.id <> $3
             AND c.status IN ('scheduled', 'confirmed', 'in_progress') AND a.starts_at < $5 AND a.ends_at > $4"#,
        booker.company.0,
        booker.user.0,
        wanted.id.0,
        wanted.starts_at,
        wanted.ends_at,
    )
    .fetch_one(tx.conn())
    .await?;
    if others == 0 {
        Ok(())
    } else {
        Err(Error::conflict("slot_taken", "you have another consultation at this time"))
    }
}
