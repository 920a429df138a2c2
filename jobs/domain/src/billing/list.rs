//! Finding invoices and credit notes: by how they stand, whose they are, when they were issued, whether they are overdue.

use chrono::{DateTime, NaiveDate, Utc};
use deserr::Deserr;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{Cents, DocumentKind, InvoiceStatus};
use crate::{
    db::TenantTx,
    error::{Error, Invalid, Result},
    field::Day,
    ids::{InvoiceId, PatientId},
    page::{Count, Flag, Page, PageQuery},
    scheduling::today,
};

/// Which invoices and credit notes.
#[derive(Debug, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct InvoiceQuery {
    /// Only those that stand so.
    #[deserr(default)]
    pub status: Option<InvoiceStatus>,
    /// Only those of this patient.
    #[deserr(default)]
    pub patient_id: Option<PatientId>,
    /// Only those issued on this day or later.
    #[deserr(default)]
    #[param(value_type = Option<String>, format = Date)]
    pub from: Option<Day>,
    /// Only those issued on this day or before.
    #[deserr(default)]
    #[param(value_type = Option<String>, format = Date)]
    pub to: Option<Day>,
    /// Only those whose last day to pay has passed and of which something is left.
    #[deserr(default)]
    #[param(value_type = Option<bool>)]
    pub overdue: Flag,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// An invoice or a credit note in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceSummary {
    /// Identifier.
    pub id: InvoiceId,
    /// `invoice` or `credit_note`.
    pub kind: DocumentKind,
    /// How it stands.
    pub status: InvoiceStatus,
    /// Its number, once it is issued.
    pub number: Option<String>,
    /// Day of issue.
    pub issued_on: Option<NaiveDate>,
    /// Last day to pay.
    pub due_on: Option<NaiveDate>,
    /// Whose care it is.
    pub patient_id: Option<PatientId>,
    /// Who is to pay, once it is issued.
    pub buyer_name: Option<String>,
    /// With VAT.
    pub gross: Cents,
    /// Left to pay, of an invoice that is issued.
    pub left: Option<Cents>,
    /// Whether the last day to pay has passed and something is left.
    pub overdue: bool,
    /// Written at.
    pub created_at: DateTime<Utc>,
}

/// A page of invoices and credit notes, the newest first.
pub async fn list_invoices(tx: &mut TenantTx, query: &InvoiceQuery) -> Result<Page<InvoiceSummary>> {
    if let (Some(Day(from)), Some(Day(to))) = (query.from, query.to)
        && to < from
    {
        return Err(Error::invalid("to", "wrong_order", "a day that is not before from"));
    }
    let page = PageQuery { page: query.page, limit: query.limit };
    let (items, total) = find(tx, query, page.limit(), page.offset()).await?;
    // A page beyond the last has no row to tell how many there are.
    let total = match total {
        None if page.offset() > 0 => find(tx, query, 1, 0).await?.1,
        total => total,
    };
    Ok(Page::new(items, page, total.unwrap_or(0)))
}

async fn find(
    tx: &mut TenantTx,
    query: &InvoiceQuery,
    limit: i64,
    offset: i64,
) -> Result<(Vec<InvoiceSummary>, Option<i64>)> {
    let (tenant, today) = (tx.tenant(), today(tx).await?);
    let rows = sqlx::query!(
        r#"WITH bills AS NOT MATERIALIZED (
               SELECT i.id, i.kind, i.number, i.issued_on, i.due_on, i.patient_id, i.document, i.gross, i.created_at,
                      COALESCE(b.status, CASE WHEN i.number IS NULL THEN 'draft' ELSE 'issued' END) AS status,
                      b.patient_left + b.insurer_left AS open,
                      COALESCE(i.due_on < $2 AND b.patient_left + b.insurer_left > 0, false) AS overdue
               FROM invoices i LEFT JOIN invoice_states b ON b.tenant_id = i.tenant_id AND b.invoice_id = i.id
               WHERE i.tenant_id = $1 AND i.kind <> 'quote'
                 AND ($3::uuid IS NULL OR i.patient_id = $3)
                 AND ($4::date IS NULL OR i.issued_on >= $4) AND ($5::date IS NULL OR i.issued_on <= $5)
           ), wanted AS NOT MATERIALIZED (
               SELECT * FROM bills WHERE ($6::text IS NULL OR status = $6) AND (NOT $7::boolean OR overdue)
           ), page AS (
               SELECT * FROM wanted ORDER BY created_at DESC, id DESC LIMIT $8 OFFSET $9
           )
           -- Only of the page's rows is the document read; counting reads none.
           SELECT id AS "id!: InvoiceId", kind AS "kind!: DocumentKind", number, issued_on, due_on,
                  patient_id AS "patient_id: PatientId", document #>> '{buyer,name}' AS buyer_name,
                  gross AS "gross!: Cents", created_at AS "created_at!", status AS "status!: InvoiceStatus",
                  open AS "open: Cents", overdue AS "overdue!", (SELECT count(*) FROM wanted) AS "total!"
           FROM page ORDER BY created_at DESC, id DESC"#,
        tenant.0,
        today,
        query.patient_id.map(|patient| patient.0),
        query.from.map(|day| day.0),
        query.to.map(|day| day.0),
        query.status as Option<InvoiceStatus>,
        query.overdue.0,
        limit,
        offset,
    )
    .fetch_all(tx.conn())
    .await?;
    let total = rows.first().map(|row| row.total);
    let items = rows.into_iter().map(|row| InvoiceSummary {
        id: row.id,
        kind: row.kind,
        status: row.status,
        number: row.number,
        issued_on: row.issued_on,
        due_on: row.due_on,
        patient_id: row.patient_id,
        buyer_name: row.buyer_name,
        gross: row.gross,
        left: row.open,
        overdue: row.overdue,
        created_at: row.created_at,
    });
    Ok((items.collect(), total))
}
