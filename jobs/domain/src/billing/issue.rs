//! Issuing: a draft gets its number and is frozen with all that it says, in one transaction. Draws nothing: the job that it
//! enqueues does.

use chrono::{Days, NaiveDate, SubsecRound};
use permanence_queue::NewJob;
use sqlx::types::Json;

use super::{
    Address, Balance, BillingSettings, Buyer, Cents, Document, DocumentKind, Invoice, InvoiceContent,
    InvoiceStatus, PaymentTerms, Seller, Shares, content::NewBuyer, fill, invoice, jobs::RenderInvoicePdf,
    logo, reckon::Reckoned, series, template, words,
};
use crate::{
    address::PostalAddress,
    audit,
    db::TenantTx,
    error::{Error, Result},
    field::{Day, Language},
    ids::InvoiceId,
    scheduling::today,
    tenants::{self, Settings},
};

/// A document that lacks its number and its days.
pub(super) struct Unnumbered {
    pub(super) document: Document,
    /// Days from the issue to the last day to pay or to accept.
    pub(super) days: u32,
    /// Whether the supply is the day of issue.
    pub(super) supplied_now: bool,
    /// The patient, for the words of a template.
    pub(super) patient: Option<String>,
}

impl Unnumbered {
    /// With the day of issue and all that follows from it.
    pub(super) fn dated(self, issued_on: NaiveDate) -> Document {
        let Self { mut document, days, supplied_now, .. } = self;
        document.issued_on = issued_on;
        document.due_on = after(issued_on, days);
        if supplied_now {
            document.supplied = (issued_on, issued_on);
        }
        if document.terms.words.is_empty() {
            document.terms.words = words::terms(document.kind, document.language, days, document.due_on);
        }
        document
    }
}

/// Issues an invoice's draft: from here on it never changes.
pub async fn issue_invoice(tx: &mut TenantTx, id: InvoiceId, version: i32) -> Result<Invoice> {
    issue(tx, id, DocumentKind::Invoice, version).await
}

/// Issues a draft of a kind, if it is still at the version that was read.
pub(super) async fn issue(
    tx: &mut TenantTx,
    id: InvoiceId,
    kind: DocumentKind,
    version: i32,
) -> Result<Invoice> {
    let settings = tenants::settings(tx).await?;
    let billing = seller_of(&settings)?;
    let mut stored = invoice::lock(tx, id, &[kind]).await?;
    stored.still_draft()?;
    if stored.version != version {
        return Err(Error::Changed("draft"));
    }
    let reckoned = stored.content.reckoned(&settings)?;
    let unnumbered = unnumbered(tx, &settings, kind, &stored.content, reckoned).await?;
    let action = match kind {
        DocumentKind::Quote => "quote.issue",
        _ => "invoice.issue",
    };
    audit::record(tx, action, "invoice", id.0).await?;
    let frozen = number(tx, billing, id, unnumbered).await?;
    let (gross, share) = (frozen.document.totals.gross, stored.content.insurer_share());
    freeze(tx, id, &frozen, gross, share).await?;
    frozen.into_stored(&mut stored);
    // As finely as it is stored: what is answered now is what is read later.
    stored.updated_at = tx.now().trunc_subsecs(6);
    let status = if gross == Cents::ZERO { InvoiceStatus::Paid } else { InvoiceStatus::Issued };
    let balance = (kind == DocumentKind::Invoice).then(|| (status, Balance::untouched(gross, share)));
    Ok(stored.into_invoice(&settings, balance))
}

/// The practice as a seller; without it nothing is issued.
pub(super) fn seller_of(settings: &Settings) -> Result<&BillingSettings> {
    settings.billing.as_ref().ok_or_else(|| {
        let detail = "the practice is not known as a seller: fill in billing in the settings";
        Error::conflict("seller_unknown", detail)
    })
}

/// The SIREN of the practice as a seller.
pub(crate) async fn seller_siren(tx: &mut TenantTx) -> Result<String> {
    let settings = tenants::settings(tx).await?;
    Ok(seller_of(&settings)?.siret.siren().to_owned())
}

/// What a document says, with its number.
pub(super) struct Frozen {
    pub(super) document: Document,
    pub(super) template_fallback: Option<&'static str>,
}

impl Frozen {
    fn into_stored(self, stored: &mut invoice::Stored) {
        stored.number = Some(self.document.number.clone());
        stored.issued_on = Some(self.document.issued_on);
        stored.due_on = Some(self.document.due_on);
        stored.document = Some(Json(self.document));
        stored.template_fallback = self.template_fallback.map(str::to_owned);
        stored.version += 1;
    }
}

/// Enqueues the paper, then takes the number: the last that others of the practice wait for.
pub(super) async fn number(
    tx: &mut TenantTx,
    billing: &BillingSettings,
    id: InvoiceId,
    unnumbered: Unnumbered,
) -> Result<Frozen> {
    let own = template::in_force(tx, unnumbered.document.kind).await?;
    let today = today(tx).await?;
    tx.enqueue(NewJob::of(&RenderInvoicePdf { invoice_id: id })?).await?;
    let numbered = series::take(tx, billing, unnumbered.document.kind, today).await?;
    let patient = unnumbered.patient.clone();
    let mut document = unnumbered.dated(numbered.issued_on);
    document.number = numbered.number;
    let mut template_fallback = None;
    if let Some(own) = own {
        match fill::fill(&own, &document, patient.as_deref()) {
            Ok(words) => document.words = Some(words),
            Err(reason) => template_fallback = Some(fill::note(document.kind, reason)),
        }
    }
    Ok(Frozen { document, template_fallback })
}

/// Keeps a draft's document with its number; nothing changes it any more.
async fn freeze(
    tx: &mut TenantTx,
    id: InvoiceId,
    frozen: &Frozen,
    gross: Cents,
    insurer_share: Cents,
) -> Result<()> {
    let (Frozen { document, template_fallback }, now) = (frozen, tx.now());
    let kept = sqlx::query!(
        "UPDATE invoices
         SET number = $3, issued_at = $4, issued_on = $5, due_on = $6, document = $7, template_fallback = $8, gross = $9,
             insurer_share = $10, version = version + 1, updated_at = $4
         WHERE tenant_id = $1 AND id = $2 AND number IS NULL",
        tx.tenant().0,
        id.0,
        document.number,
        now,
        document.issued_on,
        document.due_on,
        Json(document) as Json<&Document>,
        *template_fallback,
        gross.0,
        insurer_share.0,
    )
    .execute(tx.conn())
    .await?;
    if kept.rows_affected() == 1 { Ok(()) } else { Err(Error::internal("a locked draft has vanished")) }
}

fn after(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_add_days(Days::new(days.into())).unwrap_or(day)
}

struct Parties {
    practice: String,
    practice_phone: Option<String>,
    practice_language: Language,
    patient: Option<String>,
    patient_email: Option<String>,
    patient_address: Option<Json<PostalAddress>>,
    patient_language: Option<Language>,
    practitioner: Option<String>,
    rpps: Option<String>,
    adeli: Option<String>,
}

async fn parties(tx: &mut TenantTx, content: &InvoiceContent) -> Result<Parties> {
    Ok(sqlx::query_as!(
        Parties,
        r#"SELECT t.name AS practice, t.phone AS practice_phone, t.language AS "practice_language: Language",
                  p.first_name || ' ' || p.last_name AS patient, p.email AS "patient_email?",
                  p.address AS "patient_address?: Json<PostalAddress>", p.language AS "patient_language?: Language",
                  d.first_name || ' ' || d.last_name AS practitioner, d.rpps_number AS "rpps?",
                  d.adeli_number AS "adeli?"
           FROM tenants t
           LEFT JOIN patients p ON p.tenant_id = t.id AND p.id = $2
           LEFT JOIN practitioners d ON d.tenant_id = t.id AND d.id = $3
           WHERE t.id = $1"#,
        tx.tenant().0,
        content.patient_id.map(|patient| patient.0),
        content.practitioner_id.map(|practitioner| practitioner.0),
    )
    .fetch_one(tx.conn())
    .await?)
}

impl Parties {
    fn practitioner(&self) -> Option<String> {
        let number = self.rpps.as_ref().map(|number| format!("RPPS {number}"));
        let number = number.or_else(|| self.adeli.as_ref().map(|number| format!("ADELI {number}")));
        let name = self.practitioner.clone()?;
        Some(number.map_or_else(|| name.clone(), |number| format!("{name}, {number}")))
    }

    fn buyer(&self, named: Option<&NewBuyer>) -> Result<Buyer> {
        if let Some(buyer) = named {
            return Ok(Buyer {
                name: buyer.name.as_str().to_owned(),
                address: buyer.address.as_ref().map(Address::from),
                siren: buyer.siren.as_ref().map(|siren| siren.as_str().to_owned()),
                vat_id: buyer.vat_id.as_ref().map(|id| id.as_str().to_owned()),
                email: buyer.email.as_ref().map(|email| email.as_str().to_owned()),
            });
        }
        let name = self.patient.clone().ok_or_else(|| Error::internal("an invoice has no buyer"))?;
        let address = self.patient_address.as_ref().map(|Json(address)| Address::from(address));
        Ok(Buyer { name, address, siren: None, vat_id: None, email: self.patient_email.clone() })
    }

    fn seller(&self, billing: &BillingSettings) -> Seller {
        billing.seller(self.practice.clone(), self.practice_phone.clone(), self.practitioner())
    }
}

/// What a content comes to, of these parties; without number and days.
pub(super) async fn unnumbered(
    tx: &mut TenantTx,
    settings: &Settings,
    kind: DocumentKind,
    content: &InvoiceContent,
    reckoned: Reckoned,
) -> Result<Unnumbered> {
    let billing = seller_of(settings)?;
    let parties = parties(tx, content).await?;
    let buyer = parties.buyer(content.buyer.as_ref())?;
    let language = content.language.or(parties.patient_language).unwrap_or(parties.practice_language);
    let insurer = content.insurer_share();
    let due = reckoned.totals.due;
    let shares = content.insurer.as_ref().filter(|_| insurer > Cents::ZERO).map(|of| Shares {
        patient: due - insurer,
        insurer,
        insurer_name: of.name.as_ref().map(|name| name.as_str().to_owned()),
    });
    let from = content.supplied_from.map(|Day(day)| day);
    let until = content.supplied_until.map(|Day(day)| day).or(from);
    let days = match kind {
        DocumentKind::Quote => billing.quote_days.get(),
        _ => billing.payment_days.get(),
    };
    let document = Document {
        kind,
        number: String::new(),
        issued_on: NaiveDate::MIN,
        supplied: (from.unwrap_or_default(), until.unwrap_or_default()),
        due_on: NaiveDate::MIN,
        language,
        seller: parties.seller(billing),
        terms: payment_terms(billing, &buyer, language),
        buyer,
        buyer_reference: content.buyer_reference.as_ref().map(|text| text.as_str().to_owned()),
        lines: reckoned.lines,
        allowances: reckoned.allowances,
        vat: reckoned.vat,
        totals: reckoned.totals,
        shares,
        credits: None,
        words: None,
        logo: logo::logo(tx).await?,
    };
    Ok(Unnumbered { document, days, supplied_now: from.is_none(), patient: parties.patient })
}

/// How it is to be paid; the words follow with the days.
fn payment_terms(billing: &BillingSettings, buyer: &Buyer, language: Language) -> PaymentTerms {
    let own = billing.late_penalty.as_ref().map(|words| words.as_str().to_owned());
    PaymentTerms {
        words: String::new(),
        iban: billing.iban.as_ref().map(|iban| iban.as_str().to_owned()),
        bic: billing.bic.as_ref().map(|bic| bic.as_str().to_owned()),
        // Between companies alone (C. com. L441-10).
        late_penalty: buyer
            .siren
            .is_some()
            .then(|| own.unwrap_or_else(|| words::late_penalty(language).to_owned())),
    }
}
