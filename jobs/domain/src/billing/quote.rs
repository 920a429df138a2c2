//! Quotes: written like an invoice, issued with a number of their own series, answered once, and made an invoice.

use chrono::{DateTime, NaiveDate, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Allowance, Cents, DocumentKind, Invoice, InvoiceContent, Line, Totals, VatTotal, draft, get_invoice,
    invoice, issue,
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Result},
    ids::{InvoiceId, PatientId},
    page::{Count, Page, PageQuery},
    scheduling::today,
    tenants,
};

/// How a quote stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum QuoteStatus {
    /// It has no number and may change.
    Draft,
    /// It has a number and holds.
    Issued,
    /// It was accepted.
    Accepted,
    /// It was refused.
    Refused,
    /// Its last day has passed without an answer.
    Expired,
}

/// What a quote is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Accepted,
    /// No.
    Refused,
}

/// What a quote is answered.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewAnswer {
    /// Yes or no.
    pub answer: Answer,
}

/// A quote.
#[derive(Debug, Serialize, ToSchema)]
pub struct Quote {
    /// Identifier.
    pub id: InvoiceId,
    /// How it stands.
    pub status: QuoteStatus,
    /// Its number, once it is issued.
    pub number: Option<String>,
    /// Day of issue.
    pub issued_on: Option<NaiveDate>,
    /// Last day on which it can be accepted.
    pub valid_until: Option<NaiveDate>,
    /// Whose care it is.
    pub patient_id: Option<PatientId>,
    /// Who is to pay; of a draft, who will be named is known when it is issued.
    pub buyer_name: Option<String>,
    /// The invoice that it became.
    pub invoice_id: Option<InvoiceId>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Discounts on the whole.
    pub allowances: Vec<Allowance>,
    /// The totals of each VAT.
    pub vat: Vec<VatTotal>,
    /// The totals of the whole.
    pub totals: Totals,
    /// Of a draft: what was written, to be changed.
    pub draft: Option<InvoiceContent>,
    /// Why the practice's own words were not used, where they failed.
    pub template_fallback: Option<String>,
    /// Counts the changes, for `If-Match`.
    pub version: i32,
    /// Written at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

/// A quote in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuoteSummary {
    /// Identifier.
    pub id: InvoiceId,
    /// How it stands.
    pub status: QuoteStatus,
    /// Its number, once it is issued.
    pub number: Option<String>,
    /// Day of issue.
    pub issued_on: Option<NaiveDate>,
    /// Last day on which it can be accepted.
    pub valid_until: Option<NaiveDate>,
    /// Whose care it is.
    pub patient_id: Option<PatientId>,
    /// With VAT.
    pub gross: Cents,
    /// Written at.
    pub created_at: DateTime<Utc>,
}

/// Which quotes.
#[derive(Debug, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct QuoteQuery {
    /// Only those that stand so.
    #[deserr(default)]
    pub status: Option<QuoteStatus>,
    /// Only those of this patient.
    #[deserr(default)]
    pub patient_id: Option<PatientId>,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// Writes a quote's draft.
pub async fn draft_quote(tx: &mut TenantTx, new: &InvoiceContent) -> Result<Quote> {
    let settings = tenants::settings(tx).await?;
    let id = draft::write(tx, &settings, DocumentKind::Quote, new, None).await?;
    audit::record(tx, "quote.draft", "quote", id.0).await?;
    get_quote(tx, id).await
}

/// Replaces a quote's draft.
pub async fn update_quote(
    tx: &mut TenantTx,
    id: InvoiceId,
    version: i32,
    new: &InvoiceContent,
) -> Result<Quote> {
    draft::rewrite(tx, id, DocumentKind::Quote, version, new).await?;
    audit::record(tx, "quote.update", "quote", id.0).await?;
    get_quote(tx, id).await
}

/// Deletes a quote's draft.
pub async fn delete_quote(tx: &mut TenantTx, id: InvoiceId) -> Result<()> {
    draft::remove(tx, id, DocumentKind::Quote).await?;
    audit::record(tx, "quote.delete", "quote", id.0).await
}

/// Issues a quote's draft.
pub async fn issue_quote(tx: &mut TenantTx, id: InvoiceId, version: i32) -> Result<Quote> {
    issue::issue(tx, id, DocumentKind::Quote, version).await?;
    get_quote(tx, id).await
}

/// One quote.
pub async fn get_quote(tx: &mut TenantTx, id: InvoiceId) -> Result<Quote> {
    let stored = invoice::find(tx, id, &[DocumentKind::Quote]).await?;
    let settings = tenants::settings(tx).await?;
    let today = today(tx).await?;
    let beside = sqlx::query!(
        r#"SELECT (SELECT answer FROM quote_answers WHERE tenant_id = $1 AND quote_id = $2) AS "answer: QuoteStatus",
                  (SELECT id FROM invoices WHERE tenant_id = $1 AND quote_id = $2) AS "invoice: InvoiceId""#,
        tx.tenant().0,
        id.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let open = match stored.due_on {
        None => QuoteStatus::Draft,
        Some(last) if last < today => QuoteStatus::Expired,
        Some(_) => QuoteStatus::Issued,
    };
    let Invoice {
        number,
        issued_on,
        due_on,
        patient_id,
        buyer_name,
        lines,
        allowances,
        vat,
        totals,
        draft,
        template_fallback,
        version,
        created_at,
        updated_at,
        ..
    } = stored.into_invoice(&settings, None);
    Ok(Quote {
        id,
        status: beside.answer.unwrap_or(open),
        number,
        issued_on,
        valid_until: due_on,
        patient_id,
        buyer_name,
        invoice_id: beside.invoice,
        lines,
        allowances,
        vat,
        totals,
        draft,
        template_fallback,
        version,
        created_at,
        updated_at,
    })
}

/// A page of quotes, the newest first.
pub async fn list_quotes(tx: &mut TenantTx, query: &QuoteQuery) -> Result<Page<QuoteSummary>> {
    let page = PageQuery { page: query.page, limit: query.limit };
    let (tenant, today) = (tx.tenant(), today(tx).await?);
    let rows = sqlx::query!(
        r#"WITH quotes AS (
               SELECT i.id, i.number, i.issued_on, i.due_on, i.patient_id, i.gross, i.created_at,
                      COALESCE(a.answer, CASE WHEN i.number IS NULL THEN 'draft' WHEN i.due_on < $2 THEN 'expired'
                                         ELSE 'issued' END) AS status
               FROM invoices i LEFT JOIN quote_answers a ON a.tenant_id = i.tenant_id AND a.quote_id = i.id
               WHERE i.tenant_id = $1 AND i.kind = 'quote' AND ($4::uuid IS NULL OR i.patient_id = $4)
           )
           SELECT id AS "id: InvoiceId", number, issued_on, due_on, patient_id AS "patient_id: PatientId",
                  gross AS "gross: Cents", created_at, status AS "status!: QuoteStatus",
                  count(*) OVER () AS "total!"
           FROM quotes WHERE $3::text IS NULL OR status = $3
           ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6"#,
        tenant.0,
        today,
        query.status as Option<QuoteStatus>,
        query.patient_id.map(|patient| patient.0),
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let items = rows.into_iter().map(|row| QuoteSummary {
        id: row.id,
        status: row.status,
        number: row.number,
        issued_on: row.issued_on,
        valid_until: row.due_on,
        patient_id: row.patient_id,
        gross: row.gross,
        created_at: row.created_at,
    });
    Ok(Page::new(items.collect(), page, total))
}

/// Notes what a quote was answered, while it holds.
pub async fn answer_quote(tx: &mut TenantTx, id: InvoiceId, new: &NewAnswer) -> Result<Quote> {
    invoice::lock(tx, id, &[DocumentKind::Quote]).await?.issued()?;
    let quote = get_quote(tx, id).await?;
    match quote.status {
        QuoteStatus::Issued => {}
        QuoteStatus::Expired => {
            return Err(Error::conflict(
                "quote_expired",
                "the last day to accept it has passed: issue another",
            ));
        }
        _ => return Err(Error::conflict("quote_answered", "the quote is answered already")),
    }
    let (tenant, now, by, today) = (tx.tenant(), tx.now(), tx.actor().user, today(tx).await?);
    sqlx::query!(
        "INSERT INTO quote_answers (tenant_id, quote_id, answer, answered_on, recorded_at, recorded_by)
         VALUES ($1, $2, $3, $4, $5, $6)",
        tenant.0,
        id.0,
        new.answer as Answer,
        today,
        now,
        by.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    let action = match new.answer {
        Answer::Accepted => "quote.accept",
        Answer::Refused => "quote.refuse",
    };
    audit::record(tx, action, "quote", id.0).await?;
    get_quote(tx, id).await
}

/// Makes an accepted quote the draft of an invoice, once.
pub async fn invoice_quote(tx: &mut TenantTx, id: InvoiceId) -> Result<Invoice> {
    let stored = invoice::lock(tx, id, &[DocumentKind::Quote]).await?;
    if get_quote(tx, id).await?.status != QuoteStatus::Accepted {
        return Err(Error::conflict("quote_not_accepted", "only an accepted quote becomes an invoice"));
    }
    let settings = tenants::settings(tx).await?;
    let invoice = draft::write(tx, &settings, DocumentKind::Invoice, &stored.content, Some(id)).await?;
    audit::record(tx, "invoice.draft", "invoice", invoice.0).await?;
    get_invoice(tx, invoice).await
}
