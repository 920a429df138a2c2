//! Medical records. Nothing that is answered here is ever kept: the answer to who writes holds no word of what was written.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use permanence_domain::{
    ids::{MedicalRecordId, PatientId},
    page::Page,
    records::{self, NewRecord, Record, RecordHistory, RecordQuery, RecordSummary, RecordWritten},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Change, Create, Path, Query, Read, RecordsRead, RecordsWrite},
    respond::{Versioned, versioned},
    state::App,
};

/// Write a record of a patient. It is sealed under a key of the patient's own.
#[utoipa::path(post, path = "/patients/{id}/records", tag = "records", security(("bearer" = [])), request_body = NewRecord,
    params(("id" = PatientId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = RecordWritten), CommonErrors))]
pub(crate) async fn write_record(
    State(app): State<App>,
    Path(patient): Path<PatientId>,
    mut create: Create<RecordsWrite, NewRecord>,
) -> Result<Response> {
    let written = records::write(&mut create.tx, &app.vault, patient, &create.body).await?;
    create.created(format!("/api/v1/records/{}", written.id), &written).await
}

/// A patient's records, the last written first. Reading them is noted in the audit trail.
#[utoipa::path(get, path = "/patients/{id}/records", tag = "records", security(("bearer" = [])),
    params(("id" = PatientId, Path), RecordQuery), responses((status = 200, body = Page<RecordSummary>), CommonErrors))]
pub(crate) async fn list_records(
    State(app): State<App>,
    mut read: Read<RecordsRead>,
    Path(patient): Path<PatientId>,
    Query(query): Query<RecordQuery>,
) -> Result<Json<Page<RecordSummary>>> {
    let page = records::list(&mut read.tx, &app.vault, patient, &query).await?;
    read.tx.commit().await?;
    Ok(Json(page))
}

/// A record as it is. Reading it is noted in the audit trail.
#[utoipa::path(get, path = "/records/{id}", tag = "records", security(("bearer" = [])),
    params(("id" = MedicalRecordId, Path)), responses((status = 200, body = Record), CommonErrors))]
pub(crate) async fn get_record(
    State(app): State<App>,
    mut read: Read<RecordsRead>,
    Path(id): Path<MedicalRecordId>,
) -> Result<Versioned<Record>> {
    let record = records::read(&mut read.tx, &app.vault, id, None).await?;
    read.tx.commit().await?;
    Ok(versioned(record.summary.version, record))
}

/// Write a record anew, as its next version; those before stay.
#[utoipa::path(put, path = "/records/{id}", tag = "records", security(("bearer" = [])), request_body = NewRecord,
    params(("id" = MedicalRecordId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = RecordWritten), CommonErrors))]
pub(crate) async fn update_record(
    State(app): State<App>,
    Path(id): Path<MedicalRecordId>,
    mut change: Change<RecordsWrite, NewRecord>,
) -> Result<Versioned<RecordWritten>> {
    let written = records::update(&mut change.tx, &app.vault, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(written.version, written))
}

/// Retract a record that was written in error: it is kept, and shown as what it is.
#[utoipa::path(delete, path = "/records/{id}", tag = "records", security(("bearer" = [])),
    params(("id" = MedicalRecordId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn retract_record(
    mut write: Read<RecordsWrite>,
    Path(id): Path<MedicalRecordId>,
) -> Result<StatusCode> {
    records::retract(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who wrote which version of a record and when, the newest first.
#[utoipa::path(get, path = "/records/{id}/versions", tag = "records", security(("bearer" = [])),
    params(("id" = MedicalRecordId, Path)), responses((status = 200, body = RecordHistory), CommonErrors))]
pub(crate) async fn list_record_versions(
    mut read: Read<RecordsRead>,
    Path(id): Path<MedicalRecordId>,
) -> Result<Json<RecordHistory>> {
    let history = records::versions(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(history))
}

/// A record as it was at a version. Reading it is noted in the audit trail.
#[utoipa::path(get, path = "/records/{id}/versions/{version}", tag = "records", security(("bearer" = [])),
    params(("id" = MedicalRecordId, Path), ("version" = i32, Path)),
    responses((status = 200, body = Record), CommonErrors))]
pub(crate) async fn get_record_version(
    State(app): State<App>,
    mut read: Read<RecordsRead>,
    Path((id, version)): Path<(MedicalRecordId, i32)>,
) -> Result<Json<Record>> {
    let record = records::read(&mut read.tx, &app.vault, id, Some(version)).await?;
    read.tx.commit().await?;
    Ok(Json(record))
}
