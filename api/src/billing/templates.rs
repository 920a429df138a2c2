//! A practice's own words for its invoices, credit notes and quotes.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use permanence_domain::{
    billing::{
        self, InvoicePreview, InvoiceTemplate, InvoiceTemplateKey, InvoiceTemplateList, NewInvoicePreview,
        NewInvoiceTemplate,
    },
    ids::InvoicePreviewId,
};

use super::papers::{PaperPending, lead};
use crate::{
    error::{CommonErrors, Result},
    extract::{Change, Create, InvoiceTemplatePath, Path, PracticeRead, PracticeWrite, Read},
    respond::{Versioned, versioned},
    state::App,
};

/// The words of every kind of paper.
#[utoipa::path(get, path = "/invoice-templates", tag = "templates", security(("bearer" = [])),
    responses((status = 200, body = InvoiceTemplateList), CommonErrors))]
pub(crate) async fn list_invoice_templates(
    mut read: Read<PracticeRead>,
) -> Result<Json<InvoiceTemplateList>> {
    let list = billing::list_invoice_templates(&mut read.tx).await?;
    read.tx.commit().await?;
    Ok(Json(list))
}

/// The words of one kind of paper: those in force, and those that were before.
#[utoipa::path(get, path = "/invoice-templates/{kind}", tag = "templates", security(("bearer" = [])),
    params(InvoiceTemplateKey), responses((status = 200, body = InvoiceTemplate), CommonErrors))]
pub(crate) async fn get_invoice_template(
    mut read: Read<PracticeRead>,
    InvoiceTemplatePath(key): InvoiceTemplatePath,
) -> Result<Versioned<InvoiceTemplate>> {
    let template = billing::get_invoice_template(&mut read.tx, key.kind).await?;
    read.tx.commit().await?;
    Ok(versioned(template.version, template))
}

/// Put the practice's own words in force. What is issued next goes by them.
#[utoipa::path(put, path = "/invoice-templates/{kind}", tag = "templates", security(("bearer" = [])),
    request_body = NewInvoiceTemplate, params(InvoiceTemplateKey, ("If-Match" = String, Header)),
    responses((status = 200, body = InvoiceTemplate), CommonErrors))]
pub(crate) async fn replace_invoice_template(
    InvoiceTemplatePath(key): InvoiceTemplatePath,
    mut change: Change<PracticeWrite, NewInvoiceTemplate>,
) -> Result<Versioned<InvoiceTemplate>> {
    let template =
        billing::put_invoice_template(&mut change.tx, key.kind, change.version, &change.body).await?;
    change.tx.commit().await?;
    Ok(versioned(template.version, template))
}

/// Go back to the standard layout.
#[utoipa::path(delete, path = "/invoice-templates/{kind}", tag = "templates", security(("bearer" = [])),
    params(InvoiceTemplateKey), responses((status = 204), CommonErrors))]
pub(crate) async fn reset_invoice_template(
    mut write: Read<PracticeWrite>,
    InvoiceTemplatePath(key): InvoiceTemplatePath,
) -> Result<StatusCode> {
    billing::reset_invoice_template(&mut write.tx, key.kind).await?;
    write.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Draw words as a specimen, with an invented buyer: those given, or those in force. It is gone after a day.
#[utoipa::path(post, path = "/invoice-templates/{kind}/preview", tag = "templates", security(("bearer" = [])),
    request_body = NewInvoicePreview, params(InvoiceTemplateKey, ("Idempotency-Key" = String, Header)),
    responses((status = 202, body = InvoicePreview), CommonErrors))]
pub(crate) async fn preview_invoice_template(
    InvoiceTemplatePath(key): InvoiceTemplatePath,
    mut create: Create<PracticeWrite, NewInvoicePreview>,
) -> Result<Response> {
    let preview = billing::preview_invoice_template(&mut create.tx, key.kind, &create.body).await?;
    create.accepted(format!("/api/v1/invoice-previews/{}/pdf", preview.id), &preview).await
}

/// The PDF of a specimen: a link that lives for five minutes, once it is drawn.
#[utoipa::path(get, path = "/invoice-previews/{id}/pdf", tag = "templates", security(("bearer" = [])),
    params(("id" = InvoicePreviewId, Path)), responses(
        (status = 302, description = "`Location` is the PDF."), (status = 202, body = PaperPending), CommonErrors))]
pub(crate) async fn get_invoice_preview(
    State(app): State<App>,
    mut read: Read<PracticeRead>,
    Path(id): Path<InvoicePreviewId>,
) -> Result<Response> {
    let paper = billing::paper_of_preview(&mut read.tx, id).await?;
    read.tx.commit().await?;
    lead(&app, paper).await
}
