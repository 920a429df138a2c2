//! When practitioners see patients.

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    ids::{AvailabilityEntryId, PractitionerId},
    scheduling::{
        self, Availability, AvailabilityEntry, AvailableSlots, EntryContent, NewEntry, NewPlan, SlotQuery,
    },
};

use crate::{
    error::{CommonErrors, Result},
    extract::{AppointmentsRead, AvailabilityWrite, Change, Create, Path, Query, Read},
    respond::{Versioned, versioned},
};

/// The slots of a practitioner on some days of the practice's calendar, also those that are taken.
#[utoipa::path(get, path = "/availability/slots", tag = "availability", security(("bearer" = [])), params(SlotQuery),
    responses((status = 200, body = AvailableSlots), CommonErrors))]
pub(crate) async fn list_slots(
    mut read: Read<AppointmentsRead>,
    Query(query): Query<SlotQuery>,
) -> Result<Json<AvailableSlots>> {
    let slots = scheduling::available_slots(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(slots))
}

/// A practitioner's weekly rules, and the exceptions that are not over.
#[utoipa::path(get, path = "/availability/{practitioner_id}", tag = "availability", security(("bearer" = [])),
    params(("practitioner_id" = PractitionerId, Path)),
    responses((status = 200, body = Availability), CommonErrors))]
pub(crate) async fn get_availability(
    mut read: Read<AppointmentsRead>,
    Path(practitioner): Path<PractitionerId>,
) -> Result<Versioned<Availability>> {
    let availability = scheduling::get_availability(&mut read.tx, practitioner).await?;
    read.tx.commit().await?;
    Ok(versioned(availability.version, availability))
}

/// Replace a practitioner's weekly rules; exceptions stay. A practitioner may change their own.
#[utoipa::path(put, path = "/availability/{practitioner_id}", tag = "availability", security(("bearer" = [])),
    request_body = NewPlan,
    params(("practitioner_id" = PractitionerId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Availability), CommonErrors))]
pub(crate) async fn replace_availability(
    Path(practitioner): Path<PractitionerId>,
    mut change: Change<AvailabilityWrite, NewPlan>,
) -> Result<Versioned<Availability>> {
    let Change { tx, role, version, body, .. } = &mut change;
    let availability = scheduling::replace_availability(tx, *role, practitioner, *version, body).await?;
    change.tx.commit().await?;
    Ok(versioned(availability.version, availability))
}

/// Add a weekly rule or an exception. A practitioner may add to their own.
#[utoipa::path(post, path = "/availability", tag = "availability", security(("bearer" = [])), request_body = NewEntry,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = AvailabilityEntry), CommonErrors))]
pub(crate) async fn add_entry(mut create: Create<AvailabilityWrite, NewEntry>) -> Result<Response> {
    let entry = scheduling::add_entry(&mut create.tx, create.role, &create.body).await?;
    create.created(format!("/api/v1/availability/entries/{}", entry.id), &entry).await
}

/// One weekly rule or exception, also one that is over.
#[utoipa::path(get, path = "/availability/entries/{id}", tag = "availability", security(("bearer" = [])),
    params(("id" = AvailabilityEntryId, Path)), responses((status = 200, body = AvailabilityEntry), CommonErrors))]
pub(crate) async fn get_entry(
    mut read: Read<AppointmentsRead>,
    Path(id): Path<AvailabilityEntryId>,
) -> Result<Versioned<AvailabilityEntry>> {
    let entry = scheduling::get_entry(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(entry.version, entry))
}

/// Replace a weekly rule or an exception; the practitioner stays the same.
#[utoipa::path(put, path = "/availability/entries/{id}", tag = "availability", security(("bearer" = [])),
    request_body = EntryContent, params(("id" = AvailabilityEntryId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = AvailabilityEntry), CommonErrors))]
pub(crate) async fn update_entry(
    Path(id): Path<AvailabilityEntryId>,
    mut change: Change<AvailabilityWrite, EntryContent>,
) -> Result<Versioned<AvailabilityEntry>> {
    let Change { tx, role, version, body, .. } = &mut change;
    let entry = scheduling::update_entry(tx, *role, id, *version, body).await?;
    change.tx.commit().await?;
    Ok(versioned(entry.version, entry))
}

/// Take a weekly rule or an exception away.
#[utoipa::path(delete, path = "/availability/entries/{id}", tag = "availability", security(("bearer" = [])),
    params(("id" = AvailabilityEntryId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn delete_entry(
    mut write: Read<AvailabilityWrite>,
    Path(id): Path<AvailabilityEntryId>,
) -> Result<StatusCode> {
    scheduling::delete_entry(&mut write.tx, write.role, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
