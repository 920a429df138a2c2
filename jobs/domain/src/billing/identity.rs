//! Who sells, as the law wants it printed: the part of a practice's settings without which nothing is issued.

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Address, Bic, Iban, Seller, SeriesPrefix, Siret, VatId};
use crate::{
    address::PostalAddress,
    error::{Invalid, Problem, child, field_at},
    field::{EmailAddress, Label, Whole, trimmed},
    text_field,
};

/// The practice as a seller, and how it bills.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields, validate = consistent -> Invalid)]
pub struct BillingSettings {
    /// Legal name.
    pub legal_name: Label,
    /// Legal form and share capital, as the law wants them printed.
    #[deserr(default)]
    #[serde(default)]
    #[schema(example = "SELARL au capital de 1 000 €")]
    pub legal_form: Option<Label>,
    /// Address.
    pub address: PostalAddress,
    /// SIRET.
    pub siret: Siret,
    /// VAT identifier.
    #[deserr(default)]
    #[serde(default)]
    pub vat_id: Option<VatId>,
    /// Whether the practice is below the threshold and charges no VAT (CGI art. 293 B).
    #[deserr(default)]
    #[serde(default)]
    #[schema(default = false)]
    pub franchise: bool,
    /// Address for questions.
    #[deserr(default)]
    #[serde(default)]
    pub email: Option<EmailAddress>,
    /// Where transfers go.
    #[deserr(default)]
    #[serde(default)]
    pub iban: Option<Iban>,
    /// BIC of the bank.
    #[deserr(default)]
    #[serde(default)]
    pub bic: Option<Bic>,
    /// Days from the issue to the last day to pay.
    #[deserr(default)]
    #[serde(default)]
    #[schema(value_type = u32, minimum = 0, maximum = 60, example = 30)]
    pub payment_days: Whole<30, 0, 60>,
    /// Days for which a quote holds.
    #[deserr(default)]
    #[serde(default)]
    #[schema(value_type = u32, minimum = 1, maximum = 365, example = 30)]
    pub quote_days: Whole<30, 1, 365>,
    /// Interest for late payment and the indemnity, in words, for companies (C. com. L441-10).
    #[deserr(default)]
    #[serde(default)]
    pub late_penalty: Option<LegalWords>,
    /// What the numbers of invoices begin with.
    #[deserr(default = prefix("F"))]
    #[serde(default = "invoices")]
    #[schema(default = "F")]
    pub invoice_prefix: SeriesPrefix,
    /// What the numbers of credit notes begin with.
    #[deserr(default = prefix("A"))]
    #[serde(default = "credit_notes")]
    #[schema(default = "A")]
    pub credit_note_prefix: SeriesPrefix,
    /// What the numbers of quotes begin with.
    #[deserr(default = prefix("D"))]
    #[serde(default = "quotes")]
    #[schema(default = "D")]
    pub quote_prefix: SeriesPrefix,
    /// How many days after the last day to pay a patient is reminded by mail; none for never.
    #[deserr(default)]
    #[serde(default)]
    pub reminder_days: ReminderDays,
}

text_field!(
    /// A sentence or two of the law: 1 to 500 characters.
    LegalWords, "Pénalités : trois fois le taux d'intérêt légal. Indemnité : 40 €.", |text| trimmed(text, 500)
);

/// Days after the last day to pay at which a patient is reminded: at most 5, each later than the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Vec<u32>, max_items = 5, example = json!([7, 30]))]
pub struct ReminderDays(Vec<u32>);

impl ReminderDays {
    /// The days, the earliest first.
    pub fn days(&self) -> &[u32] {
        &self.0
    }
}

impl Default for ReminderDays {
    fn default() -> Self {
        Self(vec![7, 30])
    }
}

impl Deserr<Invalid> for ReminderDays {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        let days: Vec<Whole<1, 1, 365>> = Deserr::<Invalid>::deserialize_from_value(value, location)?;
        let days: Vec<u32> = days.into_iter().map(Whole::get).collect();
        if days.len() <= 5 && days.is_sorted_by(|one, next| one < next) {
            return Ok(Self(days));
        }
        let expected = "at most 5 days from 1 to 365, each later than the one before";
        Err(Invalid(vec![Problem::new(field_at(location), "not_reminder_days", expected)]))
    }
}

fn prefix(text: &str) -> SeriesPrefix {
    SeriesPrefix::of(text)
}

fn invoices() -> SeriesPrefix {
    prefix("F")
}

fn credit_notes() -> SeriesPrefix {
    prefix("A")
}

fn quotes() -> SeriesPrefix {
    prefix("D")
}

/// The rules that span fields.
fn consistent(billing: BillingSettings, location: ValuePointerRef<'_>) -> Result<BillingSettings, Invalid> {
    let mut problems = Vec::new();
    let mut refuse = |field: &str, code, expected: &str| {
        problems.push(Problem::new(child(location, field), code, expected));
    };
    let siren = billing.siret.siren();
    if billing.vat_id.as_ref().and_then(VatId::siren).is_some_and(|of_vat| of_vat != siren) {
        refuse("vat_id", "another_company", "the VAT identifier of the SIRET's company");
    }
    if billing.bic.is_some() && billing.iban.is_none() {
        refuse("iban", "missing", "an IBAN beside the BIC");
    }
    let quotes = &billing.quote_prefix;
    if *quotes == billing.invoice_prefix || *quotes == billing.credit_note_prefix {
        // A quote that is never accepted would else be taken for a gap among the invoices.
        refuse("quote_prefix", "prefix_taken", "another prefix than that of invoices and credit notes");
    }
    if problems.is_empty() { Ok(billing) } else { Err(Invalid(problems)) }
}

impl From<&PostalAddress> for Address {
    fn from(address: &PostalAddress) -> Self {
        Self {
            line: address.line.as_str().to_owned(),
            complement: address.complement.as_ref().map(|text| text.as_str().to_owned()),
            postcode: address.postcode.as_str().to_owned(),
            city: address.city.as_str().to_owned(),
            country: address.country.as_str().to_owned(),
        }
    }
}

impl BillingSettings {
    /// The seller as printed, with the practice's known name and telephone, and who gave the care.
    pub(super) fn seller(
        &self,
        practice: String,
        phone: Option<String>,
        practitioner: Option<String>,
    ) -> Seller {
        Seller {
            legal_name: self.legal_name.as_str().to_owned(),
            trading_name: Some(practice).filter(|name| name != self.legal_name.as_str()),
            legal_form: self.legal_form.as_ref().map(|form| form.as_str().to_owned()),
            address: Address::from(&self.address),
            siret: self.siret.as_str().to_owned(),
            vat_id: self.vat_id.as_ref().map(|id| id.as_str().to_owned()),
            practitioner,
            phone,
            email: self.email.as_ref().map(|email| email.as_str().to_owned()),
        }
    }
}
