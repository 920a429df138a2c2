//! The PDFs of what was issued, and the mails that carry them.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use permanence_domain::{
    billing::{self, InvoiceMailList, InvoiceMailLog, Paper},
    ids::InvoiceId,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{CommonErrors, Result},
    extract::{BillingRead, BillingWrite, Create, Empty, Path, Read},
    state::App,
};

/// A paper that is still being made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaperPending {
    /// `pending`: ask again after the seconds in `Retry-After`.
    status: &'static str,
}

/// The PDF of an invoice or a credit note: a link that lives for five minutes, once it is made.
#[utoipa::path(get, path = "/invoices/{id}/pdf", tag = "invoices", security(("bearer" = [])),
    params(("id" = InvoiceId, Path)), responses(
        (status = 302, description = "`Location` is the PDF."), (status = 202, body = PaperPending), CommonErrors))]
pub(crate) async fn get_invoice_pdf(
    State(app): State<App>,
    mut read: Read<BillingRead>,
    Path(id): Path<InvoiceId>,
) -> Result<Response> {
    let paper = billing::paper_of_invoice(&mut read.tx, id).await?;
    read.tx.commit().await?;
    lead(&app, paper).await
}

/// The PDF of a quote: a link that lives for five minutes, once it is made.
#[utoipa::path(get, path = "/quotes/{id}/pdf", tag = "quotes", security(("bearer" = [])),
    params(("id" = InvoiceId, Path)), responses(
        (status = 302, description = "`Location` is the PDF."), (status = 202, body = PaperPending), CommonErrors))]
pub(crate) async fn get_quote_pdf(
    State(app): State<App>,
    mut read: Read<BillingRead>,
    Path(id): Path<InvoiceId>,
) -> Result<Response> {
    let paper = billing::paper_of_quote(&mut read.tx, id).await?;
    read.tx.commit().await?;
    lead(&app, paper).await
}

/// To the PDF, or to patience.
pub(crate) async fn lead(app: &App, paper: Option<Paper>) -> Result<Response> {
    let Some(paper) = paper else {
        let pending = Json(PaperPending { status: "pending" });
        return Ok((StatusCode::ACCEPTED, [(header::RETRY_AFTER, "2")], pending).into_response());
    };
    let link = paper.link(&app.storage).await?;
    Ok((StatusCode::FOUND, [(header::LOCATION, link)]).into_response())
}

/// Mail an invoice or a credit note to its buyer, once its PDF is made.
#[utoipa::path(post, path = "/invoices/{id}/send", tag = "invoices", security(("bearer" = [])),
    params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 202, body = InvoiceMailLog), CommonErrors))]
pub(crate) async fn send_invoice(
    Path(id): Path<InvoiceId>,
    mut create: Create<BillingWrite, Empty>,
) -> Result<Response> {
    let mail = billing::send_invoice(&mut create.tx, id).await?;
    create.accepted(format!("/api/v1/invoices/{id}/mails"), &mail).await
}

/// The mails about an invoice, and how they stand.
#[utoipa::path(get, path = "/invoices/{id}/mails", tag = "invoices", security(("bearer" = [])),
    params(("id" = InvoiceId, Path)), responses((status = 200, body = InvoiceMailList), CommonErrors))]
pub(crate) async fn list_invoice_mails(
    mut read: Read<BillingRead>,
    Path(id): Path<InvoiceId>,
) -> Result<Json<InvoiceMailList>> {
    let mails = billing::list_invoice_mails(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(mails))
}
