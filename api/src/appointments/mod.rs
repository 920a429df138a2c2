//! The agenda, and what is said about it.

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    ids::AppointmentId,
    notifications::{self, MessageLog},
    scheduling::{self, Agenda, AgendaQuery, Appointment, ConflictQuery, Conflicts, NewAppointment},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{AppointmentsRead, AppointmentsWrite, Change, Create, Path, Query, Read},
    respond::{Versioned, versioned},
};

/// Book an appointment; its confirmation and reminders are planned with it. A time outside the practitioner's
/// availability is refused, unless the caller may ask for it and does.
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

/// Move or change an appointment; when it moves, its messages are planned anew.
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

/// Cancel an appointment and tell the patient; cancelling twice is the same as once.
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

/// Note that the patient did not come; twice is the same as once.
#[utoipa::path(put, path = "/appointments/{id}/no-show", tag = "appointments", security(("bearer" = [])),
    params(("id" = AppointmentId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn note_no_show(
    mut write: Read<AppointmentsWrite>,
    Path(id): Path<AppointmentId>,
) -> Result<StatusCode> {
    scheduling::note_no_show(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take back that the patient did not come; twice is the same as once.
#[utoipa::path(delete, path = "/appointments/{id}/no-show", tag = "appointments", security(("bearer" = [])),
    params(("id" = AppointmentId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn take_back_no_show(
    mut write: Read<AppointmentsWrite>,
    Path(id): Path<AppointmentId>,
) -> Result<StatusCode> {
    scheduling::take_back_no_show(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was and is to be said about the appointment, with all that happened to each message; its last move first.
#[utoipa::path(get, path = "/appointments/{id}/messages", tag = "messages", security(("bearer" = [])),
    params(("id" = AppointmentId, Path)), responses((status = 200, body = Vec<MessageLog>), CommonErrors))]
pub(crate) async fn list_appointment_messages(
    mut read: Read<AppointmentsRead>,
    Path(id): Path<AppointmentId>,
) -> Result<Json<Vec<MessageLog>>> {
    let messages = notifications::messages_of_appointment(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(messages))
}
