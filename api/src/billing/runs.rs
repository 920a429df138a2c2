//! Invoicing all appointments of a period at once.

use axum::{Json, response::Response};
use permanence_domain::{
    billing::{self, InvoiceRun, NewInvoiceRun},
    ids::InvoiceRunId,
};

use crate::{
    error::{CommonErrors, Result},
    extract::{BillingRead, BillingWrite, Create, Path, Read},
};

/// Invoice the appointments of a period that are over and on no invoice, as one batch of jobs.
#[utoipa::path(post, path = "/invoice-runs", tag = "invoices", security(("bearer" = [])), request_body = NewInvoiceRun,
    params(("Idempotency-Key" = String, Header)), responses((status = 202, body = InvoiceRun), CommonErrors))]
pub(crate) async fn start_invoice_run(mut create: Create<BillingWrite, NewInvoiceRun>) -> Result<Response> {
    let run = billing::start_run(&mut create.tx, &create.body).await?;
    create.accepted(format!("/api/v1/invoice-runs/{}", run.id), &run).await
}

/// How far a run has come, and why some appointments were not invoiced.
#[utoipa::path(get, path = "/invoice-runs/{id}", tag = "invoices", security(("bearer" = [])),
    params(("id" = InvoiceRunId, Path)), responses((status = 200, body = InvoiceRun), CommonErrors))]
pub(crate) async fn get_invoice_run(
    mut read: Read<BillingRead>,
    Path(id): Path<InvoiceRunId>,
) -> Result<Json<InvoiceRun>> {
    let run = billing::get_run(&mut read.tx, id).await?;
    read.tx.commit().await?;
    Ok(Json(run))
}
