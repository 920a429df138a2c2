//! What patients were told and are to be told; and what a person decides where nobody else can.

use axum::{Json, response::Response};
use permanence_domain::{
    ids::{MessageId, PatientId},
    notifications::{self, MessageLog, MessageQuery, MessageSummary, ResolveMessage},
    page::{Listing, Page, PageQuery},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{AppointmentsRead, AppointmentsWrite, Create, Path, Query, Read},
};

/// The practice's messages, the latest due first; `status=uncertain` lists those that wait for a person.
#[utoipa::path(get, path = "/messages", tag = "messages", security(("bearer" = [])), params(MessageQuery),
    responses((status = 200, body = Listing<MessageSummary>), CommonErrors))]
pub(crate) async fn list_messages(
    mut read: Read<AppointmentsRead>,
    Query(query): Query<MessageQuery>,
) -> Result<Json<Listing<MessageSummary>>> {
    let messages = notifications::list_messages(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(messages))
}

/// What a patient was told and is to be told, with all that happened to each message; the latest due first.
#[utoipa::path(get, path = "/patients/{id}/messages", tag = "messages", security(("bearer" = [])),
    params(("id" = PatientId, Path), PageQuery), responses((status = 200, body = Page<MessageLog>), CommonErrors))]
pub(crate) async fn list_patient_messages(
    mut read: Read<AppointmentsRead>,
    Path(id): Path<PatientId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<MessageLog>>> {
    let messages = notifications::messages_of_patient(&mut read.tx, id, page).await?;
    read.tx.commit().await?;
    Ok(Json(messages))
}

/// Decide about a message that is uncertain or did not arrive: the patient has it, or it is sent again.
#[utoipa::path(post, path = "/messages/{id}/resolve", tag = "messages", security(("bearer" = [])),
    request_body = ResolveMessage, params(("id" = MessageId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 204), CommonErrors))]
pub(crate) async fn resolve_message(
    Path(id): Path<MessageId>,
    mut create: Create<AppointmentsWrite, ResolveMessage>,
) -> Result<Response> {
    notifications::resolve_message(&mut create.tx, id, &create.body).await?;
    create.done().await
}
