//! Consultations: booked by an employee, conducted by a practitioner, seen by the two alone.

use axum::{Json, response::Response};
use permanence_domain::{
    consultations::{
        self, CancelConsultation, Consultation, ConsultationEvent, ConsultationSlots, NewConsultation,
        OfferedPractitioner, Which,
    },
    ids::ConsultationId,
    operations::JobsTx,
    page::{Page, PageQuery},
    scheduling::SlotQuery,
};

use crate::{
    error::{CommonErrors, Result},
    extract::{
        Change, ConsultationsBook, ConsultationsCancel, ConsultationsConduct, ConsultationsRead, Create,
        Empty, Path, Query, Read,
    },
    respond::{Versioned, versioned},
};

/// The practitioners whom the caller may book.
#[utoipa::path(get, path = "/consultations/practitioners", tag = "consultations", security(("bearer" = [])),
    responses((status = 200, body = Vec<OfferedPractitioner>), CommonErrors))]
pub(crate) async fn list_offered(read: Read<ConsultationsBook>) -> Result<Json<Vec<OfferedPractitioner>>> {
    let (tx, offered) = consultations::offered(read.tx).await?;
    tx.commit().await?;
    Ok(Json(offered))
}

/// The times at which one of them may be booked.
#[utoipa::path(get, path = "/consultations/slots", tag = "consultations", security(("bearer" = [])), params(SlotQuery),
    responses((status = 200, body = ConsultationSlots), CommonErrors))]
pub(crate) async fn list_offered_slots(
    read: Read<ConsultationsBook>,
    Query(query): Query<SlotQuery>,
) -> Result<Json<ConsultationSlots>> {
    let (tx, slots) = consultations::offered_slots(read.tx, &query).await?;
    tx.commit().await?;
    Ok(Json(slots))
}

/// Book a consultation for oneself.
#[utoipa::path(post, path = "/consultations", tag = "consultations", security(("bearer" = [])),
    request_body = NewConsultation, params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Consultation), CommonErrors))]
pub(crate) async fn book_consultation(
    create: Create<ConsultationsBook, NewConsultation>,
) -> Result<Response> {
    let (tx, new, answering) = create.parts();
    let (tx, consultation) = consultations::book(tx, &new).await?;
    let location = format!("/api/v1/consultations/{}", consultation.id);
    answering.created(JobsTx::All(tx), location, &consultation).await
}

async fn list(
    read: Read<ConsultationsRead>,
    which: Which,
    page: PageQuery,
) -> Result<Json<Page<Consultation>>> {
    let (tx, page) = consultations::list(read.tx, read.role, which, page).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// The consultations that the caller takes part in, the newest first.
#[utoipa::path(get, path = "/consultations/mine", tag = "consultations", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Consultation>), CommonErrors))]
pub(crate) async fn list_own(
    read: Read<ConsultationsRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Consultation>>> {
    list(read, Which::All, page).await
}

/// Those that are to take place or are under way, the next first.
#[utoipa::path(get, path = "/consultations/upcoming", tag = "consultations", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Consultation>), CommonErrors))]
pub(crate) async fn list_upcoming(
    read: Read<ConsultationsRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Consultation>>> {
    list(read, Which::Upcoming, page).await
}

/// Those that are over, cancelled or missed, the newest first.
#[utoipa::path(get, path = "/consultations/history", tag = "consultations", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Consultation>), CommonErrors))]
pub(crate) async fn list_history(
    read: Read<ConsultationsRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Consultation>>> {
    list(read, Which::History, page).await
}

/// One consultation, for those who take part in it.
#[utoipa::path(get, path = "/consultations/{id}", tag = "consultations", security(("bearer" = [])),
    params(("id" = ConsultationId, Path)), responses((status = 200, body = Consultation), CommonErrors))]
pub(crate) async fn get_consultation(
    read: Read<ConsultationsRead>,
    Path(id): Path<ConsultationId>,
) -> Result<Versioned<Consultation>> {
    let mut tx = consultations::open(read.tx, read.role, id).await?;
    let consultation = consultations::get(&mut tx, id).await?;
    tx.commit().await?;
    Ok(versioned(consultation.version, consultation))
}

/// What happened to it.
#[utoipa::path(get, path = "/consultations/{id}/events", tag = "consultations", security(("bearer" = [])),
    params(("id" = ConsultationId, Path)), responses((status = 200, body = Vec<ConsultationEvent>), CommonErrors))]
pub(crate) async fn list_events(
    read: Read<ConsultationsRead>,
    Path(id): Path<ConsultationId>,
) -> Result<Json<Vec<ConsultationEvent>>> {
    let mut tx = consultations::open(read.tx, read.role, id).await?;
    let events = consultations::list_events(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(events))
}

/// Say that it takes place.
#[utoipa::path(put, path = "/consultations/{id}/confirm", tag = "consultations", security(("bearer" = [])),
    params(("id" = ConsultationId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Consultation), CommonErrors))]
pub(crate) async fn confirm_consultation(
    Path(id): Path<ConsultationId>,
    change: Change<ConsultationsConduct, Empty>,
) -> Result<Versioned<Consultation>> {
    let mut tx = consultations::open(change.tx, change.role, id).await?;
    let consultation = consultations::confirm(&mut tx, id, change.version).await?;
    tx.commit().await?;
    Ok(versioned(consultation.version, consultation))
}

/// Cancel it, and its appointment with it.
#[utoipa::path(put, path = "/consultations/{id}/cancel", tag = "consultations", security(("bearer" = [])),
    request_body = CancelConsultation, params(("id" = ConsultationId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Consultation), CommonErrors))]
pub(crate) async fn cancel_consultation(
    Path(id): Path<ConsultationId>,
    change: Change<ConsultationsCancel, CancelConsultation>,
) -> Result<Versioned<Consultation>> {
    let mut tx = consultations::open(change.tx, change.role, id).await?;
    let consultation = consultations::cancel(&mut tx, id, change.version, &change.body).await?;
    tx.commit().await?;
    Ok(versioned(consultation.version, consultation))
}

/// Begin it.
#[utoipa::path(put, path = "/consultations/{id}/start", tag = "consultations", security(("bearer" = [])),
    params(("id" = ConsultationId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Consultation), CommonErrors))]
pub(crate) async fn start_consultation(
    Path(id): Path<ConsultationId>,
    change: Change<ConsultationsConduct, Empty>,
) -> Result<Versioned<Consultation>> {
    let mut tx = consultations::open(change.tx, change.role, id).await?;
    let consultation = consultations::start(&mut tx, id, change.version).await?;
    tx.commit().await?;
    Ok(versioned(consultation.version, consultation))
}

/// End it: from now on it counts.
#[utoipa::path(put, path = "/consultations/{id}/end", tag = "consultations", security(("bearer" = [])),
    params(("id" = ConsultationId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Consultation), CommonErrors))]
pub(crate) async fn end_consultation(
    Path(id): Path<ConsultationId>,
    change: Change<ConsultationsConduct, Empty>,
) -> Result<Versioned<Consultation>> {
    let mut tx = consultations::open(change.tx, change.role, id).await?;
    let consultation = consultations::end(&mut tx, id, change.version).await?;
    tx.commit().await?;
    Ok(versioned(consultation.version, consultation))
}

/// Note that the employee did not come.
#[utoipa::path(post, path = "/consultations/{id}/no-show", tag = "consultations", security(("bearer" = [])),
    params(("id" = ConsultationId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Consultation), CommonErrors))]
pub(crate) async fn note_no_show(
    Path(id): Path<ConsultationId>,
    create: Create<ConsultationsConduct, Empty>,
) -> Result<Response> {
    let role = create.role;
    let (tx, Empty {}, answering) = create.parts();
    let mut tx = consultations::open(tx, role, id).await?;
    let consultation = consultations::note_no_show(&mut tx, id).await?;
    answering.ok(JobsTx::Own(tx), &consultation).await
}
