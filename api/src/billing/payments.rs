//! What was paid, given back and is owed.

use axum::{Json, response::Response};
use permanence_domain::{
    billing::{self, Debtor, NewPayment, PaymentList, PaymentReceipt, Receivables},
    ids::InvoiceId,
    page::{Page, PageQuery},
};

use crate::{
    error::{CommonErrors, Result},
    extract::{BillingRead, BillingWrite, Create, Path, Query, Read},
};

/// Note a payment, whole or in part; never above what is left for its payer.
#[utoipa::path(post, path = "/invoices/{id}/payments", tag = "payments", security(("bearer" = [])),
    request_body = NewPayment, params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = PaymentReceipt), CommonErrors))]
pub(crate) async fn record_payment(
    Path(id): Path<InvoiceId>,
    mut create: Create<BillingWrite, NewPayment>,
) -> Result<Response> {
    let receipt = billing::record_payment(&mut create.tx, id, &create.body).await?;
    create.created(format!("/api/v1/invoices/{id}/payments"), &receipt).await
}

/// Note what was given back; never above what its payer has paid.
#[utoipa::path(post, path = "/invoices/{id}/refunds", tag = "payments", security(("bearer" = [])),
    request_body = NewPayment, params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = PaymentReceipt), CommonErrors))]
pub(crate) async fn record_refund(
    Path(id): Path<InvoiceId>,
    mut create: Create<BillingWrite, NewPayment>,
) -> Result<Response> {
    let receipt = billing::record_refund(&mut create.tx, id, &create.body).await?;
    create.created(format!("/api/v1/invoices/{id}/payments"), &receipt).await
}

/// What was paid of an invoice and given back, and what is left.
#[utoipa::path(get, path = "/invoices/{id}/payments", tag = "payments", security(("bearer" = [])),
    params(("id" = InvoiceId, Path)), responses((status = 200, body = PaymentList), CommonErrors))]
pub(crate) async fn list_payments(
    mut read: Read<BillingRead>,
    Path(id): Path<InvoiceId>,
) -> Result<Json<PaymentList>> {
    let payments = billing::list_payments(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(payments))
}

/// What is owed to the practice today, by payer and by the days since it was due.
#[utoipa::path(get, path = "/receivables", tag = "payments", security(("bearer" = [])),
    responses((status = 200, body = Receivables), CommonErrors))]
pub(crate) async fn get_receivables(mut read: Read<BillingRead>) -> Result<Json<Receivables>> {
    let receivables = billing::receivables(&mut read.tx).await?;
    read.tx.commit().await?;
    Ok(Json(receivables))
}

/// Who owes what today, whoever owes the most first.
#[utoipa::path(get, path = "/receivables/debtors", tag = "payments", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, body = Page<Debtor>), CommonErrors))]
pub(crate) async fn list_debtors(
    Query(page): Query<PageQuery>,
    mut read: Read<BillingRead>,
) -> Result<Json<Page<Debtor>>> {
    let debtors = billing::list_debtors(&mut read.tx, page).await?;
    read.tx.commit().await?;
    Ok(Json(debtors))
}
