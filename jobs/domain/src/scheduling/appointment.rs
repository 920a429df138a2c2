//! One appointment: booked, moved, cancelled, with its reminder planned in the same transaction.

use chrono::{DateTime, NaiveDateTime, Utc};
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{availability, parties::lock_parties, slot::Slot};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::{Moment, Reason},
    identity::Role,
    ids::{AppointmentId, PatientId, PractitionerId, RoomId, ServiceId},
    notifications::{self, Occasion, Subject},
    tenants,
};

/// An appointment to book, or what a booked one is to become.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewAppointment {
    /// Who comes.
    pub patient_id: PatientId,
    /// Who treats.
    pub practitioner_id: PractitionerId,
    /// Where, if a room is needed.
    #[deserr(default)]
    pub room_id: Option<RoomId>,
    /// What it is charged by; the most fitting automatic service where none is named.
    #[deserr(default)]
    pub service_id: Option<ServiceId>,
    /// Begin: the practice's civil time (`2027-03-15T14:30`), or an instant with its offset.
    #[schema(value_type = String, example = "2027-03-15T14:30")]
    pub starts_at: Moment,
    /// End, in the same form; 5 minutes to 12 hours later.
    #[schema(value_type = String, example = "2027-03-15T15:00")]
    pub ends_at: Moment,
    /// Why the patient comes; told in messages only where the practice discloses it.
    #[deserr(default)]
    pub reason: Option<Reason>,
    /// Asks for a time outside the practitioner's availability; takes the scope `appointments:override`.
    #[deserr(default)]
    #[schema(default = false)]
    pub outside_availability: bool,
}

/// Whether an appointment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AppointmentStatus {
    /// It stands.
    Scheduled,
    /// It does not take place.
    Cancelled,
}

impl AppointmentStatus {
    /// The status's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A person or room of an appointment, by id and name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Party {
    /// Identifier.
    pub id: Uuid,
    /// Name to show.
    pub name: String,
}

/// An appointment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Appointment {
    /// Identifier.
    pub id: AppointmentId,
    /// Who comes.
    pub patient: Party,
    /// Who treats.
    pub practitioner: Party,
    /// Where.
    pub room: Option<Party>,
    /// What it is charged by, if a service was named.
    pub service_id: Option<ServiceId>,
    /// Begin.
    pub starts_at: DateTime<Utc>,
    /// End.
    pub ends_at: DateTime<Utc>,
    /// The civil time of the begin, as agreed with the patient.
    #[schema(value_type = String, example = "2027-03-15T14:30:00")]
    pub starts_local: NaiveDateTime,
    /// IANA zone of the civil time.
    pub time_zone: String,
    /// Whether it stands.
    pub status: AppointmentStatus,
    /// Why the patient comes.
    pub reason: Option<String>,
    /// When the patient confirmed it, where it stands now.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When it was noted that the patient did not come.
    pub no_show_at: Option<DateTime<Utc>>,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Booked at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

/// What appointments occupy.
#[derive(Debug, Clone, Copy)]
pub enum Resource {
    /// A practitioner's time.
    Practitioner(PractitionerId),
    /// A room.
    Room(RoomId),
}

/// Selects appointments with the names that an agenda shows; the text is what follows WHERE.
macro_rules! select_appointments {
    ($condition:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::scheduling::appointment::Row,
            r#"SELECT id AS "id!: AppointmentId", patient_id AS "patient_id!", patient_name AS "patient_name!",
                      practitioner_id AS "practitioner_id!", practitioner_name AS "practitioner_name!", room_id,
                      room_name, starts_at AS "starts_at!", ends_at AS "ends_at!", starts_local AS "starts_local!",
                      time_zone AS "time_zone!", status AS "status!: AppointmentStatus", reason, confirmed_at,
                      no_show_at, version AS "version!", created_at AS "created_at!", updated_at AS "updated_at!",
                      service_id AS "service_id: ServiceId"
               FROM appointment_details WHERE "#
                + $condition,
            $($argument),*
        )
    };
}
pub(super) use select_appointments;

pub(super) struct Row {
    pub(super) id: AppointmentId,
    pub(super) patient_id: Uuid,
    pub(super) patient_name: String,
    pub(super) practitioner_id: Uuid,
    pub(super) practitioner_name: String,
    pub(super) room_id: Option<Uuid>,
    pub(super) room_name: Option<String>,
    pub(super) starts_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) starts_local: NaiveDateTime,
    pub(super) time_zone: String,
    pub(super) status: AppointmentStatus,
    pub(super) reason: Option<String>,
    pub(super) confirmed_at: Option<DateTime<Utc>>,
    pub(super) no_show_at: Option<DateTime<Utc>>,
    pub(super) version: i32,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) service_id: Option<ServiceId>,
}

impl From<Row> for Appointment {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            patient: Party { id: row.patient_id, name: row.patient_name },
            practitioner: Party { id: row.practitioner_id, name: row.practitioner_name },
            room: row.room_id.zip(row.room_name).map(|(id, name)| Party { id, name }),
            service_id: row.service_id,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            starts_local: row.starts_local,
            time_zone: row.time_zone,
            status: row.status,
            reason: row.reason,
            confirmed_at: row.confirmed_at,
            no_show_at: row.no_show_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What a refused exclusion constraint means for the caller.
pub(super) fn refused(error: sqlx::Error) -> Error {
    let taken =
        |what: &str| Error::conflict("slot_taken", format!("{what} has another appointment at this time"));
    match Error::violated(&error) {
        Some("appointments_practitioner_free") => taken("the practitioner"),
        Some("appointments_room_free") => taken("the room"),
        Some("appointments_patient_free") => taken("the patient"),
        _ => error.into(),
    }
}

/// Books an appointment and plans its messages.
pub async fn book(tx: &mut TenantTx, role: Role, new: &NewAppointment) -> Result<Appointment> {
    availability::may_override(role, new.outside_availability)?;
    let settings = tenants::settings(tx).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let slot = Slot::of(new, settings.zone(), now)?;
    let contact = lock_parties(tx, new).await?;
    availability::require(tx, &settings, new, slot.interval(), None).await?;
    let id = AppointmentId::new(now);
    sqlx::query!(
        "INSERT INTO appointments (tenant_id, id, patient_id, practitioner_id, room_id, starts_at, ends_at,
                                   starts_local, time_zone, created_at, updated_at, service_id, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12)",
        tenant.0,
        id.0,
        new.patient_id.0,
        new.practitioner_id.0,
        new.room_id.map(|room| room.0),
        slot.starts_at,
        slot.ends_at,
        slot.starts_local,
        slot.zone.name(),
        now,
        new.service_id.map(|service| service.0),
        new.reason.as_ref().map(Reason::as_str),
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    let subject =
        Subject { appointment: id, sequence: 0, starts_at: slot.starts_at, patient: new.patient_id, contact };
    notifications::announce(tx, &settings, &subject, Occasion::Booked).await?;
    audit::record(tx, "appointment.book", "appointment", id.0).await?;
    get(tx, id).await
}

/// One appointment, cancelled ones too.
pub async fn get(tx: &mut TenantTx, id: AppointmentId) -> Result<Appointment> {
    let row = select_appointments!("tenant_id = $1 AND id = $2", tx.tenant().0, id.0,)
        .fetch_optional(tx.conn())
        .await?;
    row.map(Appointment::from).ok_or(Error::NotFound("appointment"))
}

pub(super) struct Present {
    patient_id: PatientId,
    practitioner_id: PractitionerId,
    pub(super) starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    pub(super) status: AppointmentStatus,
    version: i32,
    sequence: i32,
}

pub(super) async fn lock(tx: &mut TenantTx, id: AppointmentId) -> Result<Present> {
    sqlx::query_as!(
        Present,
        r#"SELECT patient_id AS "patient_id: PatientId", practitioner_id AS "practitioner_id: PractitionerId", starts_at,
                  ends_at, status AS "status: AppointmentStatus", version, sequence
           FROM appointments WHERE tenant_id = $1 AND id = $2 FOR UPDATE"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("appointment"))
}

/// Moves or otherwise changes an appointment. Another begin or patient voids its messages and plans new ones.
pub async fn reschedule(
    tx: &mut TenantTx,
    role: Role,
    id: AppointmentId,
    version: i32,
    new: &NewAppointment,
) -> Result<Appointment> {
    availability::may_override(role, new.outside_availability)?;
    let settings = tenants::settings(tx).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    get(tx, id).await?;
    let slot = Slot::of(new, settings.zone(), now)?;
    // People and room before the appointment, as wherever several rows are locked: no two wait for each other.
    let contact = lock_parties(tx, new).await?;
    let present = lock(tx, id).await?;
    if present.version != version {
        return Err(Error::Changed("appointment"));
    }
    if present.status == AppointmentStatus::Cancelled {
        return Err(Error::conflict("appointment_cancelled", "a cancelled appointment can not be changed"));
    }
    // What stands may stay, or end sooner: another room or patient is no new claim on the practitioner's time.
    let claims = new.practitioner_id != present.practitioner_id
        || slot.starts_at != present.starts_at
        || slot.ends_at > present.ends_at;
    if claims {
        availability::require(tx, &settings, new, slot.interval(), Some(id)).await?;
    }
    let moved = slot.starts_at != present.starts_at || new.patient_id != present.patient_id;
    sqlx::query!(
        "UPDATE appointments
         SET patient_id = $3, practitioner_id = $4, room_id = $5, starts_at = $6, ends_at = $7, starts_local = $8,
             time_zone = $9, sequence = sequence + $10, version = version + 1, updated_at = $11,
             service_id = $12, reason = $13, confirmed_at = CASE WHEN $10 = 0 THEN confirmed_at END,
             no_show_at = CASE WHEN $10 = 0 THEN no_show_at END
         WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        new.patient_id.0,
        new.practitioner_id.0,
        new.room_id.map(|room| room.0),
        slot.starts_at,
        slot.ends_at,
        slot.starts_local,
        slot.zone.name(),
        i32::from(moved),
        now,
        new.service_id.map(|service| service.0),
        new.reason.as_ref().map(Reason::as_str),
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if moved {
        notifications::withdraw(tx, id, "rescheduled").await?;
        let subject = Subject {
            appointment: id,
            sequence: present.sequence + 1,
            starts_at: slot.starts_at,
            patient: new.patient_id,
            contact,
        };
        notifications::announce(tx, &settings, &subject, Occasion::Booked).await?;
    }
    audit::record(tx, "appointment.reschedule", "appointment", id.0).await?;
    get(tx, id).await
}

/// Cancels an appointment and what was to be said about it, and tells the patient; cancelling twice is the same as once.
pub async fn cancel(tx: &mut TenantTx, id: AppointmentId) -> Result<()> {
    let now = tx.now();
    let present = lock(tx, id).await?;
    if present.status == AppointmentStatus::Cancelled {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE appointments
         SET status = 'cancelled', cancelled_at = $3, updated_at = $3, version = version + 1, sequence = sequence + 1
         WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        now,
    )
    .execute(tx.conn())
    .await?;
    notifications::withdraw(tx, id, "cancelled").await?;
    let subject = Subject {
        appointment: id,
        sequence: present.sequence + 1,
        starts_at: present.starts_at,
        patient: present.patient_id,
        contact: notifications::contact(tx, present.patient_id).await?,
    };
    let settings = tenants::settings(tx).await?;
    notifications::announce(tx, &settings, &subject, Occasion::Cancelled).await?;
    audit::record(tx, "appointment.cancel", "appointment", id.0).await
}

/// Refuses to take away what coming appointments need. The caller holds the resource's lock.
pub async fn refuse_if_booked(tx: &mut TenantTx, resource: Resource) -> Result<()> {
    let (practitioner, room) = match resource {
        Resource::Practitioner(id) => (Some(id.0), None),
        Resource::Room(id) => (None, Some(id.0)),
    };
    let now = tx.now();
    let coming = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM appointments
           WHERE tenant_id = $1 AND status = 'scheduled' AND ends_at > $4
             AND (practitioner_id = $2 OR room_id = $3)"#,
        tx.tenant().0,
        practitioner,
        room,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    if coming == 0 {
        return Ok(());
    }
    Err(Error::conflict("has_appointments", format!("{coming} coming appointment(s) need it")))
}
