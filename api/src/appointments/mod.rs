//! The agenda and its reminders.

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    ids::AppointmentId,
    notifications::{self, ReminderLog, ReminderQuery, ReminderSummary},
    page::Page,
    scheduling::{self, Agenda, AgendaQuery, Appointment, ConflictQuery, Conflicts, NewAppointment},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{AppointmentsRead, AppointmentsWrite, Change, Create, Path, Query, Read},
    respond::{Versioned, versioned},
};

/// Book an appointment; its reminder is planned with it. A time outside the practitioner's availability is refused,
/// unless the caller may ask for it and does.
#[utoipa::path(post, path = "/appointments", tag = "appointments", security(("bearer" = [])),
    request_body = NewAppointment, params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Appointment), CommonErrors))]
pub(crate) async fn book_appointment(
    mut create: Create<AppointmentsWrite, NewAppointment>,
) -> Result<Response> {
    let appointment = scheduling::book(&mut create.tx, create.role, &create.body).await?;
    create.created(format!("/api/v1/appointments/{}", appointment.id), &appointment).await
}

/// A day of the agenda, in the practice's zone; a practitioner sees their own unless another is named.
#[utoipa::path(get, path = "/appointments", tag = "appointments", security(("bearer" = [])), params(AgendaQuery),
    responses((status = 200, body = Agenda), CommonErrors))]
pub(crate) async fn list_appointments(
    mut read: Read<AppointmentsRead>,
    Query(query): Query<AgendaQuery>,
) -> Result<Json<Agenda>> {
    let agenda = scheduling::agenda(&mut read.tx, read.role, &query).await?;
    read.tx.commit().await?;
    Ok(Json(agenda))
}

/// What would stand in the way of a booking.
#[utoipa::path(get, path = "/appointments/conflicts", tag = "appointments", security(("bearer" = [])),
    params(ConflictQuery), responses((status = 200, body = Conflicts), CommonErrors))]
pub(crate) async fn list_conflicts(
    mut read: Read<AppointmentsRead>,
    Query(query): Query<ConflictQuery>,
) -> Result<Json<Conflicts>> {
    let conflicts = scheduling::conflicts(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(conflicts))
}

/// One appointment, cancelled ones too.
#[utoipa::path(get, path = "/appointments/{id}", tag = "appointments", security(("bearer" = [])),
    params(("id" = AppointmentId, Path)), responses((status = 200, body = Appointment), CommonErrors))]
pub(crate) async fn get_appointment(
    mut read: Read<AppointmentsRead>,
    Path(id): Path<AppointmentId>,
) -> Result<Versioned<Appointment>> {
    let appointment = scheduling::get(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(appointment.version, appointment))
}

/// Move or change an appointment; when it moves, its reminder is planned anew.
#[utoipa::path(put, path = "/appointments/{id}", tag = "appointments", security(("bearer" = [])),
    request_body = NewAppointment, params(("id" = AppointmentId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Appointment), CommonErrors))]
pub(crate) async fn reschedule_appointment(
    Path(id): Path<AppointmentId>,
    mut change: Change<AppointmentsWrite, NewAppointment>,
) -> Result<Versioned<Appointment>> {
    let Change { tx, role, version, body, .. } = &mut change;
    let appointment = scheduling::reschedule(tx, *role, id, *version, body).await?;
    change.tx.commit().await?;
    Ok(versioned(appointment.version, appointment))
}

/// Cancel an appointment and its reminder; cancelling twice is the same as once.
#[utoipa::path(delete, path = "/appointments/{id}", tag = "appointments", security(("bearer" = [])),
    params(("id" = AppointmentId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn cancel_appointment(
    mut write: Read<AppointmentsWrite>,
    Path(id): Path<AppointmentId>,
) -> Result<StatusCode> {
    scheduling::cancel(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The appointment's reminders with all that happened to them, the newest first.
#[utoipa::path(get, path = "/appointments/{id}/reminders", tag = "appointments", security(("bearer" = [])),
    params(("id" = AppointmentId, Path)), responses((status = 200, body = Vec<ReminderLog>), CommonErrors))]
pub(crate) async fn list_appointment_reminders(
    mut read: Read<AppointmentsRead>,
    Path(id): Path<AppointmentId>,
) -> Result<Json<Vec<ReminderLog>>> {
    let reminders = notifications::reminders_of(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(reminders))
}

/// The practice's reminders, the latest due first; `status=uncertain` lists those that wait for a person.
#[utoipa::path(get, path = "/reminders", tag = "appointments", security(("bearer" = [])), params(ReminderQuery),
    responses((status = 200, body = Page<ReminderSummary>), CommonErrors))]
pub(crate) async fn list_reminders(
    mut read: Read<AppointmentsRead>,
    Query(query): Query<ReminderQuery>,
) -> Result<Json<Page<ReminderSummary>>> {
    let reminders = notifications::list_reminders(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(reminders))
}
