//! The erasure of one's own account, and how operators of the platform follow such erasures.

use axum::{Json, extract::State, response::Response};
use permanence_domain::{
    ids::ErasureId,
    operations::JobsTx,
    page::{Page, PageQuery},
    privacy::{self, AccountErasure, DeleteRequest, SignedCertificate},
};

use crate::{
    billing::papers::{PaperPending, lead},
    error::{CommonErrors, Result},
    extract::{Anybody, Create, Empty, Path, PlatformPrivacyRead, Query, Read},
    state::App,
};

/// Ask for the erasure of one's own account, in every tenant. Nothing happens for thirty days; until then it can be taken back.
#[utoipa::path(post, path = "/users/me/delete-request", tag = "privacy", security(("bearer" = [])),
    request_body = DeleteRequest, params(("Idempotency-Key" = String, Header)),
    responses((status = 202, body = AccountErasure), CommonErrors))]
pub(crate) async fn request_deletion(
    State(app): State<App>,
    create: Create<Anybody, DeleteRequest>,
) -> Result<Response> {
    let (tx, asked, answering) = create.parts();
    let (tx, erasure) = privacy::request_deletion(&app.db, tx, &asked).await?;
    answering.accepted(JobsTx::All(tx), "/api/v1/users/me/delete-request".to_owned(), &erasure).await
}

/// How the erasure of one's own account stands: until when it can be taken back, what the law will keep, what is in its way.
#[utoipa::path(get, path = "/users/me/delete-request", tag = "privacy", security(("bearer" = [])),
    responses((status = 200, body = AccountErasure), CommonErrors))]
pub(crate) async fn get_deletion(read: Read<Anybody>) -> Result<Json<AccountErasure>> {
    let (tx, erasure) = privacy::own_deletion(read.tx).await?;
    tx.commit().await?;
    Ok(Json(erasure))
}

/// Take it back, as long as it has not begun.
#[utoipa::path(post, path = "/users/me/delete-request/cancel", tag = "privacy", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header)), responses((status = 200, body = AccountErasure), CommonErrors))]
pub(crate) async fn cancel_deletion(create: Create<Anybody, Empty>) -> Result<Response> {
    let (tx, _, answering) = create.parts();
    let (tx, erasure) = privacy::cancel_deletion(tx).await?;
    answering.ok(JobsTx::All(tx), &erasure).await
}

/// The erasures of accounts, the newest first.
#[utoipa::path(get, path = "/super-admin/account-erasures", tag = "privacy", security(("bearer" = [])),
    params(PageQuery), responses((status = 200, body = Page<AccountErasure>), CommonErrors))]
pub(crate) async fn list_account_erasures(
    read: Read<PlatformPrivacyRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AccountErasure>>> {
    let mut tx = read.tx.widen().await?;
    let page = privacy::list_account_erasures(&mut tx, page).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// One of them.
#[utoipa::path(get, path = "/super-admin/account-erasures/{id}", tag = "privacy", security(("bearer" = [])),
    params(("id" = ErasureId, Path)), responses((status = 200, body = AccountErasure), CommonErrors))]
pub(crate) async fn get_account_erasure(
    read: Read<PlatformPrivacyRead>,
    Path(id): Path<ErasureId>,
) -> Result<Json<AccountErasure>> {
    let mut tx = read.tx.widen().await?;
    let erasure = privacy::get_account_erasure(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(erasure))
}

/// The signed certificate of one that is completed. It names nobody.
#[utoipa::path(get, path = "/super-admin/account-erasures/{id}/certificate", tag = "privacy",
    security(("bearer" = [])), params(("id" = ErasureId, Path)),
    responses((status = 200, body = SignedCertificate), CommonErrors))]
pub(crate) async fn get_account_certificate(
    read: Read<PlatformPrivacyRead>,
    Path(id): Path<ErasureId>,
) -> Result<Json<SignedCertificate>> {
    let mut tx = read.tx.widen().await?;
    let certificate = privacy::account_certificate_of(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(certificate))
}

/// The certificate as a PDF: a link that lives for five minutes, once it is drawn.
#[utoipa::path(get, path = "/super-admin/account-erasures/{id}/certificate/pdf", tag = "privacy",
    security(("bearer" = [])), params(("id" = ErasureId, Path)), responses(
        (status = 302, description = "`Location` is the PDF."), (status = 202, body = PaperPending), CommonErrors))]
pub(crate) async fn get_account_certificate_pdf(
    State(app): State<App>,
    read: Read<PlatformPrivacyRead>,
    Path(id): Path<ErasureId>,
) -> Result<Response> {
    let mut tx = read.tx.widen().await?;
    let paper = privacy::account_paper_of(&mut tx, id).await?;
    tx.commit().await?;
    lead(&app, paper).await
}
