//! An invoice as it is read, and the life of its draft: written, changed, deleted. What has a number is only read here.

use chrono::{DateTime, NaiveDate, Utc};
use deserr::Deserr;
use serde::Serialize;
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{
    Allowance, Balance, Cents, Document, DocumentKind, InvoiceContent, Line, Totals, VatTotal, appointment,
    reckon::Reckoned,
};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Problem, Problems, Result},
    ids::{InvoiceId, PatientId},
    tenants::{self, Settings},
};

/// How an invoice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, sqlx::Type, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum InvoiceStatus {
    /// It has no number and may change.
    Draft,
    /// It has a number and is not paid.
    Issued,
    /// A part of it is paid.
    #[deserr(rename = "partly_paid")]
    PartlyPaid,
    /// Nothing is left to pay.
    Paid,
    /// Credit notes have taken all of it back.
    Cancelled,
}

/// An invoice or a credit note.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Invoice {
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
    /// Of a credit note: the invoice that it takes back.
    pub credits: Option<InvoiceId>,
    /// The quote that it came from.
    pub quote_id: Option<InvoiceId>,
    /// Who is to pay; of a draft, who will be named is known when it is issued.
    pub buyer_name: Option<String>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Discounts on the whole, one for each VAT that they lower.
    pub allowances: Vec<Allowance>,
    /// The totals of each VAT.
    pub vat: Vec<VatTotal>,
    /// The totals of the whole.
    pub totals: Totals,
    /// What is paid and left, of an invoice that is issued.
    pub balance: Option<Balance>,
    /// Of a draft: what was written, to be changed.
    pub draft: Option<InvoiceContent>,
    /// Why the practice's own words were not used when it was issued, where they failed.
    pub template_fallback: Option<String>,
    /// Counts the changes, for `If-Match`; what is issued changes no more.
    pub version: i32,
    /// Written at.
    pub created_at: DateTime<Utc>,
    /// Last changed at.
    pub updated_at: DateTime<Utc>,
}

/// What stands in the table, whatever its kind.
pub(super) struct Stored {
    pub(super) id: InvoiceId,
    pub(super) kind: DocumentKind,
    pub(super) patient_id: Option<PatientId>,
    pub(super) credits: Option<InvoiceId>,
    pub(super) quote_id: Option<InvoiceId>,
    pub(super) content: Json<InvoiceContent>,
    pub(super) number: Option<String>,
    pub(super) issued_on: Option<NaiveDate>,
    pub(super) due_on: Option<NaiveDate>,
    pub(super) document: Option<Json<Document>>,
    pub(super) template_fallback: Option<String>,
    pub(super) version: i32,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

/// Selects what stands in the table; the text is what follows WHERE.
macro_rules! select_stored {
    ($condition:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Stored,
            r#"SELECT id AS "id: InvoiceId", kind AS "kind: DocumentKind", patient_id AS "patient_id: PatientId",
                      credits AS "credits: InvoiceId", quote_id AS "quote_id: InvoiceId",
                      content AS "content: Json<InvoiceContent>", number, issued_on, due_on,
                      document AS "document: Json<Document>", template_fallback, version, created_at, updated_at
               FROM invoices WHERE "#
                + $condition,
            $($argument),*
        )
    };
}
impl Stored {
    /// Lines and totals: frozen where it is issued, reckoned under the present settings where it is a draft. A draft that
    /// the settings no longer allow has none.
    pub(super) fn reckoned(&self, settings: &Settings) -> Reckoned {
        match &self.document {
            Some(Json(document)) => Reckoned {
                lines: document.lines.clone(),
                allowances: document.allowances.clone(),
                vat: document.vat.clone(),
                totals: document.totals,
            },
            None => self.content.reckoned(settings).unwrap_or_else(|_| Reckoned::nothing()),
        }
    }

    /// The invoice with its balance, where it has one.
    pub(super) fn into_invoice(
        self,
        settings: &Settings,
        balance: Option<(InvoiceStatus, Balance)>,
    ) -> Invoice {
        let Reckoned { lines, allowances, vat, totals } = self.reckoned(settings);
        let issued = self.number.is_some();
        let status = match &balance {
            Some((status, _)) => *status,
            None if issued => InvoiceStatus::Issued,
            None => InvoiceStatus::Draft,
        };
        let named = self.document.map(|Json(document)| document.buyer.name);
        let buyer = self.content.buyer.as_ref().map(|buyer| buyer.name.as_str().to_owned());
        Invoice {
            id: self.id,
            kind: self.kind,
            status,
            number: self.number,
            issued_on: self.issued_on,
            due_on: self.due_on,
            patient_id: self.patient_id,
            credits: self.credits,
            quote_id: self.quote_id,
            buyer_name: named.or(buyer),
            lines,
            allowances,
            vat,
            totals,
            balance: balance.filter(|_| issued).map(|(_, balance)| balance),
            draft: (!issued).then_some(self.content.0),
            template_fallback: self.template_fallback,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// Finds and locks one of these kinds against every other change of it.
pub(super) async fn lock(tx: &mut TenantTx, id: InvoiceId, kinds: &[DocumentKind]) -> Result<Stored> {
    let stored = select_stored!("tenant_id = $1 AND id = $2 FOR NO KEY UPDATE", tx.tenant().0, id.0)
        .fetch_optional(tx.conn())
        .await?;
    stored.filter(|stored| kinds.contains(&stored.kind)).ok_or(Error::NotFound(what(kinds)))
}

/// Finds one of these kinds.
pub(super) async fn find(tx: &mut TenantTx, id: InvoiceId, kinds: &[DocumentKind]) -> Result<Stored> {
    let stored =
        select_stored!("tenant_id = $1 AND id = $2", tx.tenant().0, id.0).fetch_optional(tx.conn()).await?;
    stored.filter(|stored| kinds.contains(&stored.kind)).ok_or(Error::NotFound(what(kinds)))
}

/// What the caller asks for by `/invoices`.
pub(super) const BILLS: [DocumentKind; 2] = [DocumentKind::Invoice, DocumentKind::CreditNote];

fn what(kinds: &[DocumentKind]) -> &'static str {
    if kinds.contains(&DocumentKind::Quote) { "quote" } else { "invoice" }
}

/// One invoice or credit note.
pub async fn get_invoice(tx: &mut TenantTx, id: InvoiceId) -> Result<Invoice> {
    let stored = find(tx, id, &BILLS).await?;
    let settings = tenants::settings(tx).await?;
    let balance = match stored.kind {
        DocumentKind::Invoice => Some(super::balance::of(tx, id).await?),
        _ => None,
    };
    Ok(stored.into_invoice(&settings, balance))
}

/// Writes a draft.
pub async fn draft_invoice(tx: &mut TenantTx, new: &InvoiceContent) -> Result<Invoice> {
    let settings = tenants::settings(tx).await?;
    let id = write(tx, &settings, DocumentKind::Invoice, new, None).await?;
    audit::record(tx, "invoice.draft", "invoice", id.0).await?;
    get_invoice(tx, id).await
}

/// Keeps a new draft of any kind.
pub(super) async fn write(
    tx: &mut TenantTx,
    settings: &Settings,
    kind: DocumentKind,
    new: &InvoiceContent,
    quote: Option<InvoiceId>,
) -> Result<InvoiceId> {
    let (content, gross) = checked(tx, settings, kind, new).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    let id = InvoiceId::new(now);
    sqlx::query!(
        "INSERT INTO invoices (tenant_id, id, kind, patient_id, quote_id, content, gross, insurer_share, created_at,
                               updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        tenant.0,
        id.0,
        kind as DocumentKind,
        content.patient_id.map(|patient| patient.0),
        quote.map(|quote| quote.0),
        Json(&content) as Json<&InvoiceContent>,
        gross.0,
        content.insurer_share().0,
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    appointment::link(tx, id, content.appointment_id).await?;
    Ok(id)
}

fn refused(error: sqlx::Error) -> Error {
    match Error::violated(&error) {
        Some("invoices_quote") => {
            Error::conflict("quote_invoiced", "the quote has become an invoice already")
        }
        _ => error.into(),
    }
}

/// What is written, completed by what the appointment tells, or all that is wrong with it.
async fn checked(
    tx: &mut TenantTx,
    settings: &Settings,
    kind: DocumentKind,
    new: &InvoiceContent,
) -> Result<(InvoiceContent, Cents)> {
    let mut content = new.clone();
    if let Some(appointment) = content.appointment_id {
        if kind == DocumentKind::Quote {
            let expected = "nothing: a quote is about what is to come";
            return Err(Error::invalid("appointment_id", "not_for_quotes", expected));
        }
        appointment::complete(tx, settings, appointment, &mut content).await?;
    }
    known(tx, &content).await?;
    let gross = content.reckoned(settings)?.totals.gross;
    Ok((content, gross))
}

/// Patient and practitioner are of the practice.
async fn known(tx: &mut TenantTx, content: &InvoiceContent) -> Result<()> {
    let (patient, practitioner) = (content.patient_id, content.practitioner_id);
    let found = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM patients WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL) AS "patient!",
                  EXISTS (SELECT FROM practitioners WHERE tenant_id = $1 AND id = $3) AS "practitioner!""#,
        tx.tenant().0,
        patient.map(|patient| patient.0),
        practitioner.map(|practitioner| practitioner.0),
    )
    .fetch_one(tx.conn())
    .await?;
    let mut problems = Problems::default();
    if let (Some(patient), false) = (patient, found.patient) {
        let expected = "a patient of the practice";
        problems.push(Problem::new("patient_id", "unknown_patient", expected).read(patient));
    }
    if let (Some(practitioner), false) = (practitioner, found.practitioner) {
        let expected = "a practitioner of the practice";
        problems.push(Problem::new("practitioner_id", "unknown_practitioner", expected).read(practitioner));
    }
    problems.finish()
}

/// Replaces a draft.
pub async fn update_invoice(
    tx: &mut TenantTx,
    id: InvoiceId,
    version: i32,
    new: &InvoiceContent,
) -> Result<Invoice> {
    rewrite(tx, id, DocumentKind::Invoice, version, new).await?;
    audit::record(tx, "invoice.update", "invoice", id.0).await?;
    get_invoice(tx, id).await
}

/// Replaces a draft of any kind.
pub(super) async fn rewrite(
    tx: &mut TenantTx,
    id: InvoiceId,
    kind: DocumentKind,
    version: i32,
    new: &InvoiceContent,
) -> Result<()> {
    let settings = tenants::settings(tx).await?;
    let stored = lock(tx, id, &[kind]).await?;
    stored.still_draft()?;
    if stored.version != version {
        return Err(Error::Changed(what(&[kind])));
    }
    appointment::unlink(tx, id).await?;
    let (content, gross) = checked(tx, &settings, kind, new).await?;
    let (tenant, now) = (tx.tenant(), tx.now());
    sqlx::query!(
        "UPDATE invoices SET patient_id = $3, content = $4, gross = $5, insurer_share = $6, version = version + 1,
                             updated_at = $7
         WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        id.0,
        content.patient_id.map(|patient| patient.0),
        Json(&content) as Json<&InvoiceContent>,
        gross.0,
        content.insurer_share().0,
        now,
    )
    .execute(tx.conn())
    .await?;
    appointment::link(tx, id, content.appointment_id).await
}

/// Deletes a draft. It had no number, so that none is missing.
pub async fn delete_invoice(tx: &mut TenantTx, id: InvoiceId) -> Result<()> {
    remove(tx, id, DocumentKind::Invoice).await?;
    audit::record(tx, "invoice.delete", "invoice", id.0).await
}

/// Deletes a draft of any kind.
pub(super) async fn remove(tx: &mut TenantTx, id: InvoiceId, kind: DocumentKind) -> Result<()> {
    lock(tx, id, &[kind]).await?.still_draft()?;
    sqlx::query!("DELETE FROM invoices WHERE tenant_id = $1 AND id = $2", tx.tenant().0, id.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

impl Stored {
    /// Refuses to touch what is issued.
    pub(super) fn still_draft(&self) -> Result<()> {
        match &self.number {
            None => Ok(()),
            Some(number) => Err(Error::conflict(
                "already_issued",
                format!("{number} is issued: it never changes, a credit note takes it back"),
            )),
        }
    }

    /// What it says, if it is issued.
    pub(super) fn issued(&self) -> Result<&Document> {
        self.document
            .as_ref()
            .map(|Json(document)| document)
            .ok_or_else(|| Error::conflict("not_issued", "it is a draft: issue it first"))
    }
}
