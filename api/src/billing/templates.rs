//! A practice's own words for its invoices, credit notes and quotes.

use axum::{Json, http::StatusCode};
use permanence_domain::billing::{
    self, InvoiceTemplate, InvoiceTemplateKey, InvoiceTemplateList, NewInvoiceTemplate,
};

use crate::{
    error::{CommonErrors, Result},
    extract::{Change, InvoiceTemplatePath, PracticeRead, PracticeWrite, Read},
    respond::{Versioned, versioned},
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
