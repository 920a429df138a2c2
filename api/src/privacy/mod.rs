//! Erasing what a practice holds of a patient, and what the law keeps of it.

pub(crate) mod account;

use axum::{Json, extract::State, response::Response};
use permanence_domain::{
    ids::{ErasureId, PatientId, RetainedId},
    page::{Page, PageQuery},
    privacy::{self, Erasure, Retained, RetainedList, SignedCertificate},
};

use crate::{
    billing::papers::{PaperPending, lead},
    error::{CommonErrors, Result},
    extract::{Create, Empty, Path, PrivacyRead, PrivacyWrite, Query, Read},
    state::App,
};

/// Ask for a patient's erasure. They are out of sight at once; what is held of them is destroyed after thirty days.
#[utoipa::path(post, path = "/patients/{id}/erasure", tag = "privacy", security(("bearer" = [])),
    params(("id" = PatientId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 202, body = Erasure), CommonErrors))]
pub(crate) async fn request_erasure(
    Path(patient): Path<PatientId>,
    mut create: Create<PrivacyWrite, Empty>,
) -> Result<Response> {
    let erasure = privacy::request_erasure(&mut create.tx, patient).await?;
    create.accepted(format!("/api/v1/erasures/{}", erasure.id), &erasure).await
}

/// Take an erasure back before its day: the patient is there again.
#[utoipa::path(post, path = "/erasures/{id}/cancel", tag = "privacy", security(("bearer" = [])),
    params(("id" = ErasureId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Erasure), CommonErrors))]
pub(crate) async fn cancel_erasure(
    Path(id): Path<ErasureId>,
    mut create: Create<PrivacyWrite, Empty>,
) -> Result<Response> {
    let erasure = privacy::cancel_erasure(&mut create.tx, id).await?;
    create.ok(&erasure).await
}

/// The erasures, the newest first.
#[utoipa::path(get, path = "/erasures", tag = "privacy", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Erasure>), CommonErrors))]
pub(crate) async fn list_erasures(
    mut read: Read<PrivacyRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Erasure>>> {
    let page = privacy::list_erasures(&mut read.tx, page).await?;
    read.tx.commit().await?;
    Ok(Json(page))
}

/// How an erasure stands: what was destroyed, what is kept by which law until when.
#[utoipa::path(get, path = "/erasures/{id}", tag = "privacy", security(("bearer" = [])),
    params(("id" = ErasureId, Path)), responses((status = 200, body = Erasure), CommonErrors))]
pub(crate) async fn get_erasure(
    mut read: Read<PrivacyRead>,
    Path(id): Path<ErasureId>,
) -> Result<Json<Erasure>> {
    let erasure = privacy::get_erasure(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(erasure))
}

/// The signed certificate of an erasure that is completed.
#[utoipa::path(get, path = "/erasures/{id}/certificate", tag = "privacy", security(("bearer" = [])),
    params(("id" = ErasureId, Path)), responses((status = 200, body = SignedCertificate), CommonErrors))]
pub(crate) async fn get_certificate(
    mut read: Read<PrivacyRead>,
    Path(id): Path<ErasureId>,
) -> Result<Json<SignedCertificate>> {
    let certificate = privacy::certificate_of(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(certificate))
}

/// The certificate as a PDF: a link that lives for five minutes, once it is drawn.
#[utoipa::path(get, path = "/erasures/{id}/certificate/pdf", tag = "privacy", security(("bearer" = [])),
    params(("id" = ErasureId, Path)), responses(
        (status = 302, description = "`Location` is the PDF."), (status = 202, body = PaperPending), CommonErrors))]
pub(crate) async fn get_certificate_pdf(
    State(app): State<App>,
    mut read: Read<PrivacyRead>,
    Path(id): Path<ErasureId>,
) -> Result<Response> {
    let paper = privacy::paper_of_certificate(&mut read.tx, id).await?;
    read.tx.commit().await?;
    lead(&app, paper).await
}

/// What the law keeps of an erasure, under seal: what it is, by which law and until when. Nothing is opened.
#[utoipa::path(get, path = "/erasures/{id}/retained", tag = "privacy", security(("bearer" = [])),
    params(("id" = ErasureId, Path)), responses((status = 200, body = RetainedList), CommonErrors))]
pub(crate) async fn list_retained(
    mut read: Read<PrivacyRead>,
    Path(id): Path<ErasureId>,
) -> Result<Json<RetainedList>> {
    let list = privacy::list_retained(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(list))
}

/// Which colleagues' identities are kept under seal since their accounts were erased: `row_id` is the user whom records name as
/// their author. Nothing is opened.
#[utoipa::path(get, path = "/retained", tag = "privacy", security(("bearer" = [])),
    responses((status = 200, body = RetainedList), CommonErrors))]
pub(crate) async fn list_authors(mut read: Read<PrivacyRead>) -> Result<Json<RetainedList>> {
    let list = privacy::list_authors(&mut read.tx).await?;
    read.tx.commit().await?;
    Ok(Json(list))
}

/// Open what the law keeps, for whoever it lets ask for it, such as a tax inspection. It is noted in the audit trail.
#[utoipa::path(get, path = "/retained/{id}", tag = "privacy", security(("bearer" = [])),
    params(("id" = RetainedId, Path)), responses((status = 200, body = Retained), CommonErrors))]
pub(crate) async fn open_retained(
    State(app): State<App>,
    mut read: Read<PrivacyWrite>,
    Path(id): Path<RetainedId>,
) -> Result<Json<Retained>> {
    let retained = privacy::open_retained(&mut read.tx, &app.vault, id).await?;
    read.tx.commit().await?;
    Ok(Json(retained))
}
