//! Reading the agenda: a day of it, and what stands in the way of a booking.

use chrono::NaiveDate;
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Appointment, AppointmentStatus,
    appointment::select_appointments,
    slot::earliest_begin,
    zone::{day_bounds, practice_zone, resolve},
};
use crate::{
    db::TenantTx,
    error::{Invalid, Problem, Problems, Result},
    field::{Day, Moment},
    identity::Role,
    ids::{AppointmentId, PatientId, PractitionerId, RoomId, ServiceId},
};

/// Which part of the agenda.
#[derive(Debug, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct AgendaQuery {
    /// Day in the practice's zone; today by default.
    #[deserr(default)]
    #[param(value_type = Option<String>, format = Date, example = "2027-03-15")]
    pub date: Option<Day>,
    /// One practitioner's appointments. A practitioner sees their own unless another is named.
    #[deserr(default)]
    pub practitioner_id: Option<PractitionerId>,
    /// One patient's appointments.
    #[deserr(default)]
    pub patient_id: Option<PatientId>,
}

/// One day of the agenda, in the order of the begin; cancelled appointments are left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agenda {
    /// The day.
    #[schema(value_type = String, format = Date)]
    pub date: NaiveDate,
    /// The zone in which it is a day.
    pub time_zone: String,
    /// The day's appointments.
    pub items: Vec<Appointment>,
}

/// A time to ask for.
#[derive(Debug, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct ConflictQuery {
    /// Begin, as in a booking.
    #[param(value_type = String, example = "2027-03-15T14:30")]
    pub starts_at: Moment,
    /// End, as in a booking.
    #[param(value_type = String, example = "2027-03-15T15:00")]
    pub ends_at: Moment,
    /// Whose time is wanted.
    #[deserr(default)]
    pub practitioner_id: Option<PractitionerId>,
    /// Which room is wanted.
    #[deserr(default)]
    pub room_id: Option<RoomId>,
    /// Which patient is to come.
    #[deserr(default)]
    pub patient_id: Option<PatientId>,
    /// An appointment that does not count, because it is the one to be moved.
    #[deserr(default)]
    pub except: Option<AppointmentId>,
}

/// What stands in the way.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conflicts {
    /// Whether nothing does.
    pub free: bool,
    /// The appointments that do.
    pub items: Vec<Appointment>,
}

/// The agenda of a day. A caller who is a practitioner gets their own by default.
pub async fn agenda(tx: &mut TenantTx, role: Role, query: &AgendaQuery) -> Result<Agenda> {
    let zone = practice_zone(tx).await?;
    let date = query.date.map_or_else(|| tx.now().with_timezone(&zone).date_naive(), |day| day.0);
    let (from, to) = day_bounds(date, zone);
    let own = match (role, tx.actor().user, query.practitioner_id) {
        (Role::Practitioner, Some(user), None) => {
            sqlx::query_scalar!(
                r#"SELECT id AS "id: PractitionerId" FROM practitioners
               WHERE tenant_id = $1 AND user_id = $2 AND deleted_at IS NULL"#,
                tx.tenant().0,
                user.0
            )
            .fetch_optional(tx.conn())
            .await?
        }
        _ => None,
    };
    let practitioner = query.practitioner_id.or(own);
    let rows = select_appointments!(
        "tenant_id = $1 AND starts_at >= $2 AND starts_at < $3 AND status = 'scheduled'
             AND ($4::uuid IS NULL OR practitioner_id = $4)
             AND ($5::uuid IS NULL OR patient_id = $5)
           ORDER BY starts_at, id",
        tx.tenant().0,
        from,
        to,
        practitioner.map(|id| id.0),
        query.patient_id.map(|id| id.0),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Agenda {
        date,
        time_zone: zone.name().to_owned(),
        items: rows.into_iter().map(Appointment::from).collect(),
    })
}

/// The appointments that a booking at this time would clash with.
pub async fn conflicts(tx: &mut TenantTx, query: &ConflictQuery) -> Result<Conflicts> {
    let zone = practice_zone(tx).await?;
    let mut problems = Problems::default();
    let mut read =
        |moment, field| resolve(moment, zone, field).map_err(|problem| problems.push(problem)).ok();
    let times = (read(query.starts_at, "starts_at"), read(query.ends_at, "ends_at"));
    if let (Some(from), Some(to)) = times
        && to <= from
    {
        problems
            .push(Problem::new("ends_at", "wrong_length", "an end after the begin").read(to.to_rfc3339()));
    }
    if (query.practitioner_id, query.room_id, query.patient_id) == (None, None, None) {
        problems.push(Problem::new("practitioner_id", "missing", "a practitioner, a room or a patient"));
    }
    problems.finish()?;
    let rows = select_appointments!(
        "tenant_id = $1 AND status = 'scheduled'
             AND starts_at > $8 AND starts_at < $3 AND ends_at > $2
             AND (practitioner_id = $4 OR room_id = $5 OR patient_id = $6)
             AND id IS DISTINCT FROM $7
           ORDER BY starts_at, id",
        tx.tenant().0,
        times.0,
        times.1,
        query.practitioner_id.map(|id| id.0),
        query.room_id.map(|id| id.0),
        query.patient_id.map(|id| id.0),
        query.except.map(|id| id.0),
        times.0.map(earliest_begin),
    )
    .fetch_all(tx.conn())
    .await?;
    let items: Vec<_> = rows.into_iter().map(Appointment::from).collect();
    Ok(Conflicts { free: items.is_empty(), items })
}
