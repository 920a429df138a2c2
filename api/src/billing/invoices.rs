//! Invoices and credit notes.

use axum::{Json, http::StatusCode, response::Response};
use deserr::Deserr;
use permanence_domain::{
    Invalid,
    billing::{self, Invoice, InvoiceContent, InvoiceQuery, InvoiceSummary, NewCreditNote},
    ids::InvoiceId,
    page::Page,
};
use utoipa::ToSchema;

use crate::{
    error::{CommonErrors, Result},
    extract::{BillingRead, BillingWrite, Change, Create, Path, Query, Read},
    respond::{Versioned, versioned},
};

/// Which version of a draft is issued: the one that was read.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub(crate) struct IssueRequest {
    /// The version that was read.
    #[schema(example = 1)]
    pub(crate) version: i32,
}

/// Write an invoice's draft, freely or from an appointment.
#[utoipa::path(post, path = "/invoices", tag = "invoices", security(("bearer" = [])), request_body = InvoiceContent,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Invoice), CommonErrors))]
pub(crate) async fn draft_invoice(mut create: Create<BillingWrite, InvoiceContent>) -> Result<Response> {
    let invoice = billing::draft_invoice(&mut create.tx, &create.body).await?;
    create.created(format!("/api/v1/invoices/{}", invoice.id), &invoice).await
}

/// Invoices and credit notes, the newest first.
#[utoipa::path(get, path = "/invoices", tag = "invoices", security(("bearer" = [])), params(InvoiceQuery),
    responses((status = 200, body = Page<InvoiceSummary>), CommonErrors))]
pub(crate) async fn list_invoices(
    mut read: Read<BillingRead>,
    Query(query): Query<InvoiceQuery>,
) -> Result<Json<Page<InvoiceSummary>>> {
    let invoices = billing::list_invoices(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(invoices))
}

/// One invoice or credit note, with what is left to pay.
#[utoipa::path(get, path = "/invoices/{id}", tag = "invoices", security(("bearer" = [])),
    params(("id" = InvoiceId, Path)), responses((status = 200, body = Invoice), CommonErrors))]
pub(crate) async fn get_invoice(
    mut read: Read<BillingRead>,
    Path(id): Path<InvoiceId>,
) -> Result<Versioned<Invoice>> {
    let invoice = billing::get_invoice(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(invoice.version, invoice))
}

/// Replace a draft. What is issued never changes.
#[utoipa::path(put, path = "/invoices/{id}", tag = "invoices", security(("bearer" = [])), request_body = InvoiceContent,
    params(("id" = InvoiceId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Invoice), CommonErrors))]
pub(crate) async fn update_invoice(
    Path(id): Path<InvoiceId>,
    mut change: Change<BillingWrite, InvoiceContent>,
) -> Result<Versioned<Invoice>> {
    let invoice = billing::update_invoice(&mut change.tx, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(invoice.version, invoice))
}

/// Delete a draft.
#[utoipa::path(delete, path = "/invoices/{id}", tag = "invoices", security(("bearer" = [])),
    params(("id" = InvoiceId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn delete_invoice(
    mut write: Read<BillingWrite>,
    Path(id): Path<InvoiceId>,
) -> Result<StatusCode> {
    billing::delete_invoice(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Issue a draft: it gets its number and never changes again. Its PDF is made by a job.
#[utoipa::path(post, path = "/invoices/{id}/issue", tag = "invoices", security(("bearer" = [])),
    request_body = IssueRequest, params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Invoice), CommonErrors))]
pub(crate) async fn issue_invoice(
    Path(id): Path<InvoiceId>,
    mut create: Create<BillingWrite, IssueRequest>,
) -> Result<Response> {
    let invoice = billing::issue_invoice(&mut create.tx, id, create.body.version).await?;
    create.ok(&invoice).await
}

/// Take back an invoice, what is left of it, some lines or an amount, by a credit note.
#[utoipa::path(post, path = "/invoices/{id}/credit-note", tag = "invoices", security(("bearer" = [])),
    request_body = NewCreditNote, params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Invoice), CommonErrors))]
pub(crate) async fn credit_invoice(
    Path(id): Path<InvoiceId>,
    mut create: Create<BillingWrite, NewCreditNote>,
) -> Result<Response> {
    let note = billing::credit_invoice(&mut create.tx, id, &create.body).await?;
    create.created(format!("/api/v1/invoices/{}", note.id), &note).await
}
