//! A practice's own words for its invoices, credit notes and quotes, kept version by version. What they may be and how they are
//! filled in belongs to `fill`.

use chrono::{DateTime, Utc};
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    DocumentKind,
    fill::{ALWAYS, SOMETIMES, check},
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    ids::UserId,
};

/// Which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Path)]
pub struct InvoiceTemplateKey {
    /// Of what kind of paper.
    pub kind: DocumentKind,
}

/// A practice's own words for a kind of paper.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewInvoiceTemplate {
    /// Markdown with placeholders in double braces; `[[items]]`, `[[totals]]` and, if wanted, `[[payment]]` stand alone on
    /// a line.
    #[schema(
        example = "# Facture {{ number }}\n\n[[items]]\n\n[[totals]]\n\n[[payment]]\n\nMerci de votre confiance."
    )]
    pub body: String,
}

/// The words of a kind of paper.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceTemplate {
    /// Of what kind of paper.
    pub kind: DocumentKind,
    /// Whether the practice's own words are in force.
    pub own: bool,
    /// Counts the changes, for `If-Match`; 0 before the first.
    pub version: i32,
    /// The words in force; the standard layout where there are none.
    pub body: Option<String>,
    /// The placeholders that are known in every case.
    pub placeholders: Vec<&'static str>,
    /// Those that are known in some cases: they stand within `{% if … %}`.
    pub optional_placeholders: Vec<&'static str>,
    /// The practice's versions, the newest first, at most fifty.
    pub history: Vec<InvoiceTemplateVersion>,
}

/// A version of a practice's words.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceTemplateVersion {
    /// Its number.
    pub version: i32,
    /// The words; `null` where it is the return to the standard layout.
    pub body: Option<String>,
    /// Chosen at.
    pub created_at: DateTime<Utc>,
    /// The member who chose it.
    pub created_by: Option<UserId>,
}

/// The words of every kind of paper.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceTemplateList {
    /// One for each kind.
    pub items: Vec<InvoiceTemplate>,
}

/// The words of every kind of paper.
pub async fn list_invoice_templates(tx: &mut TenantTx) -> Result<InvoiceTemplateList> {
    let mut items = Vec::new();
    for kind in [DocumentKind::Invoice, DocumentKind::CreditNote, DocumentKind::Quote] {
        items.push(get_invoice_template(tx, kind).await?);
    }
    Ok(InvoiceTemplateList { items })
}

/// The words of one kind of paper.
pub async fn get_invoice_template(tx: &mut TenantTx, kind: DocumentKind) -> Result<InvoiceTemplate> {
    let history = sqlx::query_as!(
        InvoiceTemplateVersion,
        r#"SELECT version, body, created_at, created_by AS "created_by: UserId"
           FROM invoice_templates WHERE tenant_id = $1 AND kind = $2 ORDER BY version DESC LIMIT 50"#,
        tx.tenant().0,
        kind as DocumentKind,
    )
    .fetch_all(tx.conn())
    .await?;
    let body = history.first().and_then(|newest| newest.body.clone());
    Ok(InvoiceTemplate {
        kind,
        own: body.is_some(),
        version: history.first().map_or(0, |newest| newest.version),
        body,
        placeholders: ALWAYS.to_vec(),
        optional_placeholders: SOMETIMES.to_vec(),
        history,
    })
}

/// Puts the practice's own words in force, once they have passed every check.
pub async fn put_invoice_template(
    tx: &mut TenantTx,
    kind: DocumentKind,
    version: i32,
    new: &NewInvoiceTemplate,
) -> Result<InvoiceTemplate> {
    let body = checked(&new.body)?;
    add(tx, kind, version, Some(&body)).await?;
    audit::record(tx, "invoice_template.update", "invoice_template", None).await?;
    get_invoice_template(tx, kind).await
}

/// Words as they are kept, once they have passed every check.
pub(super) fn checked(body: &str) -> Result<String> {
    let body = body.trim().replace("\r\n", "\n");
    check(&body)?;
    Ok(body)
}

/// Goes back to the standard layout; where it is in force, nothing changes.
pub async fn reset_invoice_template(tx: &mut TenantTx, kind: DocumentKind) -> Result<()> {
    let present = get_invoice_template(tx, kind).await?;
    if !present.own {
        return Ok(());
    }
    add(tx, kind, present.version, None).await?;
    audit::record(tx, "invoice_template.reset", "invoice_template", None).await
}

/// Adds the version after the one that was read; fails if another came between.
async fn add(tx: &mut TenantTx, kind: DocumentKind, read: i32, body: Option<&str>) -> Result<()> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor());
    let added = sqlx::query!(
        "INSERT INTO invoice_templates (tenant_id, kind, version, body, created_at, created_by)
         SELECT $1, $2, $3::integer + 1, $4, $5, $6
         WHERE $3 = (SELECT coalesce(max(version), 0) FROM invoice_templates WHERE tenant_id = $1 AND kind = $2)
         ON CONFLICT DO NOTHING",
        tenant.0,
        kind as DocumentKind,
        read,
        body,
        now,
        actor.user.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 0 {
        return Err(Error::Changed("invoice template"));
    }
    Ok(())
}

/// The practice's own words; `None` where the standard layout is in force.
pub(super) async fn in_force(tx: &mut TenantTx, kind: DocumentKind) -> Result<Option<String>> {
    let newest = sqlx::query_scalar!(
        "SELECT body FROM invoice_templates WHERE tenant_id = $1 AND kind = $2 ORDER BY version DESC LIMIT 1",
        tx.tenant().0,
        kind as DocumentKind,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(newest.flatten())
}
