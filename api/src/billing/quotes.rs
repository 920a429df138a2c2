//! Quotes.

use axum::{Json, http::StatusCode, response::Response};
use permanence_domain::{
    billing::{self, Invoice, InvoiceContent, NewAnswer, Quote, QuoteQuery, QuoteSummary},
    ids::InvoiceId,
    page::Page,
};

use super::invoices::IssueRequest;
use crate::{
    error::{CommonErrors, Result},
    extract::{BillingRead, BillingWrite, Change, Create, Empty, Path, Query, Read},
    respond::{Versioned, versioned},
};

/// Write a quote's draft.
#[utoipa::path(post, path = "/quotes", tag = "quotes", security(("bearer" = [])), request_body = InvoiceContent,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Quote), CommonErrors))]
pub(crate) async fn draft_quote(mut create: Create<BillingWrite, InvoiceContent>) -> Result<Response> {
    let quote = billing::draft_quote(&mut create.tx, &create.body).await?;
    create.created(format!("/api/v1/quotes/{}", quote.id), &quote).await
}

/// Quotes, the newest first.
#[utoipa::path(get, path = "/quotes", tag = "quotes", security(("bearer" = [])), params(QuoteQuery),
    responses((status = 200, body = Page<QuoteSummary>), CommonErrors))]
pub(crate) async fn list_quotes(
    mut read: Read<BillingRead>,
    Query(query): Query<QuoteQuery>,
) -> Result<Json<Page<QuoteSummary>>> {
    let quotes = billing::list_quotes(&mut read.tx, &query).await?;
    read.tx.commit().await?;
    Ok(Json(quotes))
}

/// One quote.
#[utoipa::path(get, path = "/quotes/{id}", tag = "quotes", security(("bearer" = [])),
    params(("id" = InvoiceId, Path)), responses((status = 200, body = Quote), CommonErrors))]
pub(crate) async fn get_quote(
    mut read: Read<BillingRead>,
    Path(id): Path<InvoiceId>,
) -> Result<Versioned<Quote>> {
    let quote = billing::get_quote(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(versioned(quote.version, quote))
}

/// Replace a quote's draft.
#[utoipa::path(put, path = "/quotes/{id}", tag = "quotes", security(("bearer" = [])), request_body = InvoiceContent,
    params(("id" = InvoiceId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Quote), CommonErrors))]
pub(crate) async fn update_quote(
    Path(id): Path<InvoiceId>,
    mut change: Change<BillingWrite, InvoiceContent>,
) -> Result<Versioned<Quote>> {
    let quote = billing::update_quote(&mut change.tx, id, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(quote.version, quote))
}

/// Delete a quote's draft.
#[utoipa::path(delete, path = "/quotes/{id}", tag = "quotes", security(("bearer" = [])),
    params(("id" = InvoiceId, Path)), responses((status = 204), CommonErrors))]
pub(crate) async fn delete_quote(
    mut write: Read<BillingWrite>,
    Path(id): Path<InvoiceId>,
) -> Result<StatusCode> {
    billing::delete_quote(&mut write.tx, id).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Issue a quote's draft: it gets its number and never changes again.
#[utoipa::path(post, path = "/quotes/{id}/issue", tag = "quotes", security(("bearer" = [])),
    request_body = IssueRequest, params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Quote), CommonErrors))]
pub(crate) async fn issue_quote(
    Path(id): Path<InvoiceId>,
    mut create: Create<BillingWrite, IssueRequest>,
) -> Result<Response> {
    let quote = billing::issue_quote(&mut create.tx, id, create.body.version).await?;
    create.ok(&quote).await
}

/// Note that a quote was accepted or refused, while it holds.
#[utoipa::path(post, path = "/quotes/{id}/answer", tag = "quotes", security(("bearer" = [])),
    request_body = NewAnswer, params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Quote), CommonErrors))]
pub(crate) async fn answer_quote(
    Path(id): Path<InvoiceId>,
    mut create: Create<BillingWrite, NewAnswer>,
) -> Result<Response> {
    let quote = billing::answer_quote(&mut create.tx, id, &create.body).await?;
    create.ok(&quote).await
}

/// Make an accepted quote the draft of an invoice, once.
#[utoipa::path(post, path = "/quotes/{id}/invoice", tag = "quotes", security(("bearer" = [])),
    params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Invoice), CommonErrors))]
pub(crate) async fn invoice_quote(
    Path(id): Path<InvoiceId>,
    mut create: Create<BillingWrite, Empty>,
) -> Result<Response> {
    let invoice = billing::invoice_quote(&mut create.tx, id).await?;
    create.created(format!("/api/v1/invoices/{}", invoice.id), &invoice).await
}
