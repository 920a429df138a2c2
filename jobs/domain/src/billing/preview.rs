//! Specimens: what a practice's words look like on paper, with an invented buyer, before they are put in force. A specimen has
//! no number, is no Factur-X and is gone after a day.

use chrono::Duration;
use deserr::Deserr;
use permanence_queue::NewJob;
use serde::Serialize;
use serde_json::json;
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{
    Document, DocumentKind, InvoiceContent, Paper, PaperStart, Referenced, fill, issue,
    jobs::{RemoveInvoicePreview, RenderInvoicePreview},
    template, words,
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::Language,
    ids::{InvoicePreviewId, TenantId},
    scheduling::today,
    storage::ObjectKey,
    tenants::{self, Settings},
};

/// How long a specimen is kept.
const KEPT: Duration = Duration::days(1);
/// Stands where a number would: no number of any series.
const NUMBER: &str = "SPECIMEN";

/// Which words to try.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewInvoicePreview {
    /// Words that are not in force yet; those in force where none are given.
    #[deserr(default)]
    pub body: Option<String>,
    /// The language of the fixed words; the practice's where none is said.
    #[deserr(default)]
    pub language: Option<Language>,
}

/// A specimen that is being drawn.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoicePreview {
    /// Identifier: its PDF is at `/invoice-previews/{id}/pdf`.
    pub id: InvoicePreviewId,
    /// Of what kind of paper.
    pub kind: DocumentKind,
}

/// Has a specimen drawn of words that pass every check.
pub async fn preview_invoice_template(
    tx: &mut TenantTx,
    kind: DocumentKind,
    new: &NewInvoicePreview,
) -> Result<InvoicePreview> {
    let own = match &new.body {
        Some(body) => Some(template::checked(body)?),
        None => template::in_force(tx, kind).await?,
    };
    let document = specimen(tx, kind, new.language, own.as_deref()).await?;
    let (tenant, now, by) = (tx.tenant(), tx.now(), tx.actor().user);
    let id = InvoicePreviewId::new(now);
    sqlx::query!(
        "INSERT INTO invoice_previews (tenant_id, id, document, created_at, created_by) VALUES ($1, $2, $3, $4, $5)",
        tenant.0,
        id.0,
        Json(&document) as Json<&Document>,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    tx.enqueue(NewJob::of(&RenderInvoicePreview { preview_id: id })?).await?;
    tx.enqueue(NewJob::of(&RemoveInvoicePreview { preview_id: id })?.run_at(now + KEPT)).await?;
    audit::record(tx, "invoice_template.preview", "invoice_template", None).await?;
    Ok(InvoicePreview { id, kind })
}

/// What would be issued today, with everything that a template may name.
async fn specimen(
    tx: &mut TenantTx,
    kind: DocumentKind,
    language: Option<Language>,
    own: Option<&str>,
) -> Result<Document> {
    let settings = tenants::settings(tx).await?;
    let content = InvoiceContent { language, ..content(&settings)? };
    let reckoned = content.reckoned(&settings)?;
    let mut unnumbered = issue::unnumbered(tx, &settings, kind, &content, reckoned).await?;
    let today = today(tx).await?;
    let document = &mut unnumbered.document;
    NUMBER.clone_into(&mut document.number);
    document.seller.practitioner = Some("Camille Exemple, RPPS 10000000000".to_owned());
    if kind == DocumentKind::CreditNote {
        document.issued_on = today;
        document.terms.words = words::credit_terms(document, "Exemple");
        document.credits = Some(Referenced { number: NUMBER.to_owned(), issued_on: today });
    }
    let mut document = unnumbered.dated(today);
    if let Some(own) = own {
        document.words = Some(fill::fill(own, &document, Some("Alice Exemple")).map_err(unfilled)?);
    }
    Ok(document)
}

fn unfilled(reason: &'static str) -> Error {
    Error::invalid("body", "template_syntax", format!("words that can be filled in, and not: {reason}"))
}

/// Care and, at the highest of the practice's rates, goods: to an invented patient, a part of it to an insurer.
fn content(settings: &Settings) -> Result<InvoiceContent> {
    let franchise = settings.billing.as_ref().is_some_and(|billing| billing.franchise);
    let rate = settings.vat_rates.iter().map(|rate| rate.get()).filter(|_| !franchise).max();
    let goods = match rate {
        Some(rate) if rate > 0 => json!({ "category": "standard", "rate": rate }),
        _ if franchise => json!({ "category": "franchise" }),
        _ => json!({ "category": "care" }),
    };
    let content = json!({
        "buyer": {
            "name": "Alice Exemple",
            "address": { "line": "3 rue de l’Exemple", "postcode": "67000", "city": "Strasbourg" },
        },
        "buyer_reference": "REF-2026",
        "lines": [
            { "name": "Séance", "description": "Une ligne d’exemple", "unit_price": 6000, "vat": { "category": "care" } },
            { "name": "Article", "quantity": 2000, "unit_price": 1250, "vat": goods },
        ],
        "insurer": { "name": "Mutuelle Exemple", "share": 2000 },
    });
    serde_json::from_value(content).map_err(Error::internal)
}

/// What the drawing job finds; a specimen that is gone is not drawn.
pub async fn begin_preview(tx: &mut TenantTx, id: InvoicePreviewId) -> Result<PaperStart> {
    let row = sqlx::query!(
        r#"SELECT document AS "document: Json<Document>", object_key FROM invoice_previews
           WHERE tenant_id = $1 AND id = $2"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match row {
        Some(row) if row.object_key.is_none() => PaperStart::Draw(Box::new(row.document.0)),
        _ => PaperStart::Made,
    })
}

/// Where a specimen lies: the same for each drawing, so that none is left behind.
pub fn preview_key(tenant: TenantId, id: InvoicePreviewId) -> Result<ObjectKey> {
    ObjectKey::of("previews", tenant, &format!("{id}.pdf"))
}

/// Notes that a specimen is drawn; false where it has been removed meanwhile.
pub async fn end_preview(tx: &mut TenantTx, id: InvoicePreviewId, key: &ObjectKey) -> Result<bool> {
    let noted = sqlx::query!(
        "UPDATE invoice_previews SET object_key = $3 WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
        key.as_str(),
    )
    .execute(tx.conn())
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// The PDF of a specimen; `None` while it is being drawn.
pub async fn paper_of_preview(tx: &mut TenantTx, id: InvoicePreviewId) -> Result<Option<Paper>> {
    let key = sqlx::query_scalar!(
        "SELECT object_key FROM invoice_previews WHERE tenant_id = $1 AND id = $2",
        tx.tenant().0,
        id.0,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("invoice preview"))?;
    key.map(|key| Ok(Paper { key: ObjectKey::parse(&key)?, file_name: "specimen.pdf".to_owned() }))
        .transpose()
}

/// Forgets a specimen, once its object is gone.
pub async fn forget_preview(tx: &mut TenantTx, id: InvoicePreviewId) -> Result<()> {
    sqlx::query!("DELETE FROM invoice_previews WHERE tenant_id = $1 AND id = $2", tx.tenant().0, id.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}
