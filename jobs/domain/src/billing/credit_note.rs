//! Credit notes: what was issued is taken back by another document, never changed.

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{
    Cents, Document, DocumentKind, Invoice, InvoiceContent, Money, Part, Quantity, Referenced, Shares,
    appointment, balance,
    credit::{self, Credited, Taken},
    get_invoice, invoice,
    issue::{Unnumbered, number, seller_of},
    reckon::Reckoned,
    words,
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Invalid, Problem, Result},
    field::{Label, Whole},
    ids::{InvoiceId, PatientId},
    tenants,
};

/// What is taken back: all that is left where neither lines nor an amount are given.
#[derive(Debug, Clone, Deserr, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewCreditNote {
    /// Why, as it is printed.
    pub reason: Label,
    /// These lines, each less its part of the discounts on the whole.
    #[deserr(default)]
    pub lines: Vec<CreditedLine>,
    /// This much before VAT, euro cents, spread over the VATs as they are left.
    #[deserr(default)]
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub amount: Option<Money<1, 100_000_000_000>>,
    /// The part of it, with VAT, by which the insurer's share is lowered; the patient's is lowered first where nothing is
    /// said.
    #[deserr(default)]
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub insurer_share: Option<Part>,
}

/// A line of the invoice that is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct CreditedLine {
    /// Its place on the invoice, from 1.
    #[schema(value_type = u32, minimum = 1, maximum = 200)]
    pub line: Whole<1, 1, 200>,
    /// How much of it, thousandths; all that is left of it where nothing is said.
    #[deserr(default)]
    pub quantity: Option<Quantity>,
}

struct Earlier {
    document: Json<Document>,
    lines: Json<Vec<Taken>>,
}

/// Takes back an invoice, what is left of it, or a part, and issues the credit note at once.
pub async fn credit_invoice(tx: &mut TenantTx, id: InvoiceId, new: &NewCreditNote) -> Result<Invoice> {
    if new.amount.is_some() && !new.lines.is_empty() {
        return Err(Error::invalid("amount", "one_of", "either lines or an amount"));
    }
    let settings = tenants::settings(tx).await?;
    let billing = seller_of(&settings)?;
    let stored = invoice::lock(tx, id, &[DocumentKind::Invoice]).await?;
    let original = stored.issued()?;
    let (_, before) = balance::of(tx, id).await?;
    let (earlier, taken) = earlier(tx, id).await?;
    let credited = Credited { invoice: original, earlier: &earlier, taken: &taken };
    let (reckoned, lines) = wanted(&credited, new)?;
    let (gross, patient) = (reckoned.totals.gross, before.patient);
    let insurer = credit::insurer_part(
        gross,
        new.insurer_share.map(Money::get),
        patient.share - patient.credited,
        before.insurer.share - before.insurer.credited,
    )?;
    let unnumbered =
        unnumbered(original, reckoned, insurer, new, words::patient(tx, stored.patient_id).await?);
    audit::record(tx, "invoice.credit", "invoice", id.0).await?;
    if gross == before.gross - before.credited {
        // Taken back whole: its appointment may be invoiced again.
        appointment::unlink(tx, id).await?;
    }
    let note = InvoiceId::new(tx.now());
    let frozen = number(tx, billing, note, unnumbered).await?;
    insert(tx, note, id, stored.patient_id, &frozen, insurer, &lines).await?;
    get_invoice(tx, note).await
}

/// Earlier credit notes of an invoice, and which of its lines they took back.
async fn earlier(tx: &mut TenantTx, id: InvoiceId) -> Result<(Vec<Document>, Vec<Taken>)> {
    let rows = sqlx::query_as!(
        Earlier,
        r#"SELECT document AS "document!: Json<Document>", credited_lines AS "lines!: Json<Vec<Taken>>"
           FROM invoices WHERE tenant_id = $1 AND credits = $2"#,
        tx.tenant().0,
        id.0,
    )
    .fetch_all(tx.conn())
    .await?;
    let (documents, lines): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .map(|Earlier { document: Json(document), lines: Json(lines) }| (document, lines))
        .unzip();
    Ok((documents, lines.into_iter().flatten().collect()))
}

fn wanted(credited: &Credited<'_>, new: &NewCreditNote) -> Result<(Reckoned, Vec<Taken>)> {
    let name = words::credited(credited.invoice, new.reason.as_str());
    if let Some(amount) = new.amount {
        return Ok((credited.amount(&name, amount.get())?, Vec::new()));
    }
    if new.lines.is_empty() {
        let whole = if credited.earlier.is_empty() { &credited.invoice.lines[..] } else { &[] };
        let all =
            whole.iter().enumerate().map(|(place, line)| Taken { line: place + 1, quantity: line.quantity });
        return Ok((credited.rest(&name)?, all.collect()));
    }
    let lines = credited.wanted(&new.lines).map_err(|problems: Vec<Problem>| Invalid(problems))?;
    Ok((credited.lines(&lines)?, lines))
}

/// The credit note before it has its number: of the same parties as the invoice.
fn unnumbered(
    original: &Document,
    reckoned: Reckoned,
    insurer: Cents,
    new: &NewCreditNote,
    patient: Option<String>,
) -> Unnumbered {
    let Reckoned { lines, allowances, vat, totals } = reckoned;
    let name = original.shares.as_ref().and_then(|shares| shares.insurer_name.clone());
    let shares = (insurer > Cents::ZERO).then(|| Shares {
        patient: totals.gross - insurer,
        insurer,
        insurer_name: name,
    });
    let mut document = Document {
        kind: DocumentKind::CreditNote,
        lines,
        allowances,
        vat,
        totals,
        shares,
        credits: Some(Referenced { number: original.number.clone(), issued_on: original.issued_on }),
        words: None,
        ..original.clone()
    };
    document.terms.words = words::credit_terms(original, new.reason.as_str());
    document.terms.late_penalty = None;
    Unnumbered { document, days: 0, supplied_now: false, patient }
}

async fn insert(
    tx: &mut TenantTx,
    id: InvoiceId,
    credits: InvoiceId,
    patient: Option<PatientId>,
    frozen: &super::issue::Frozen,
    insurer: Cents,
    lines: &[Taken],
) -> Result<()> {
    let (tenant, now, document) = (tx.tenant(), tx.now(), &frozen.document);
    let content = InvoiceContent { patient_id: patient, ..InvoiceContent::default() };
    sqlx::query!(
        "INSERT INTO invoices (tenant_id, id, kind, patient_id, credits, credited_lines, content, gross, insurer_share,
                               number, issued_at, issued_on, due_on, document, template_fallback, created_at, updated_at)
         VALUES ($1, $2, 'credit_note', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $10, $10)",
        tenant.0,
        id.0,
        patient.map(|patient| patient.0),
        credits.0,
        Json(lines) as Json<&[Taken]>,
        Json(&content) as Json<&InvoiceContent>,
        document.totals.gross.0,
        insurer.0,
        document.number,
        now,
        document.issued_on,
        document.due_on,
        Json(document) as Json<&Document>,
        frozen.template_fallback,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
