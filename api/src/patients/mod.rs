//! Who comes.

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    ids::PatientId,
    page::Page,
    patients::{self, ConsentRecord, NewPatient, Patient, PatientQuery},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Change, Create, Path, PatientsRead, PatientsWrite, Query, Read},
    respond::{Versioned, versioned},
};

/// Register a patient.
#[utoipa::path(post, path = "/patients", tag = "patients", security(("bearer" = [])), request_body = NewPatient,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Patient), CommonErrors))]
pub(crate) async fn register_patient(mut create: Create<PatientsWrite, NewPatient>) -> Result<Response> {
    let patient = patients::register(&mut create.tx, &create.body).await?;
    create.created(format!("/api/v1/patients/{}", patient.id), &patient).await
}

/// The patients: by name, or the best matches of a search first.
#[utoipa::path(get, path = "/patients", tag = "patients", security(("bearer" = [])), params(PatientQuery),
    responses((status = 200, body = Page<Patient>), CommonErrors))]
pub(crate) async fn list_patients(
    mut read: Read<PatientsRead>,
    Query(query): Query<PatientQuery>,
) -> Result<Json<Page<Patient>>> {
    let patients = patients::list(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(patients))
}

/// One patient.
#[utoipa::path(get, path = "/patients/{id}", tag = "patients", security(("bearer" = [])), params(("id" = PatientId, Path)),
    responses((status = 200, body = Patient), CommonErrors))]
pub(crate) async fn get_patient(
    mut read: Read<PatientsRead>,
    Path(id): Path<PatientId>,
) -> Result<Versioned<Patient>> {
    let patient = patients::get(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(patient.version, patient))
}

/// Replace what is known of a patient.
#[utoipa::path(put, path = "/patients/{id}", tag = "patients", security(("bearer" = [])), request_body = NewPatient,
    params(("id" = PatientId, Path), ("If-Match" = String, Header)), responses((status = 200, body = Patient), CommonErrors))]
pub(crate) async fn update_patient(
    Path(id): Path<PatientId>,
    mut change: Change<PatientsWrite, NewPatient>,
) -> Result<Versioned<Patient>> {
    let patient = patients::update(&mut change.tx, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(patient.version, patient))
}

/// Delete a patient who has no coming appointment.
#[utoipa::path(delete, path = "/patients/{id}", tag = "patients", security(("bearer" = [])), params(("id" = PatientId, Path)),
    responses((status = 204), CommonErrors))]
pub(crate) async fn delete_patient(
    mut write: Read<PatientsWrite>,
    Path(id): Path<PatientId>,
) -> Result<StatusCode> {
    patients::delete(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a patient agreed to and when, the newest first.
#[utoipa::path(get, path = "/patients/{id}/consents", tag = "patients", security(("bearer" = [])),
    params(("id" = PatientId, Path)), responses((status = 200, body = Vec<ConsentRecord>), CommonErrors))]
pub(crate) async fn list_patient_consents(
    mut read: Read<PatientsRead>,
    Path(id): Path<PatientId>,
) -> Result<Json<Vec<ConsentRecord>>> {
    let consents = patients::list_consents(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(consents))
}
