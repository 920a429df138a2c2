//! What is written on an invoice or a quote. What follows from it is reckoned in `compose`.

use deserr::{Deserr, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Part, Price, Quantity, Siren, VatCategory, VatId};
use crate::{
    address::PostalAddress,
    error::{Invalid, Problem, child},
    field::{Day, EmailAddress, FullName, Label, Language, Whole},
    ids::{AppointmentId, PatientId, PractitionerId},
    text_field,
};

/// An invoice or a quote as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
#[serde(default)]
pub struct InvoiceContent {
    /// Whose care it is; also who is to pay, where no buyer is named.
    #[deserr(default)]
    pub patient_id: Option<PatientId>,
    /// Who is to pay instead, such as a company.
    #[deserr(default)]
    pub buyer: Option<NewBuyer>,
    /// The appointment that is invoiced: over, not cancelled, and on no other invoice. Patient, practitioner and day are
    /// its own, and so are the lines where none are given.
    #[deserr(default)]
    pub appointment_id: Option<AppointmentId>,
    /// Who gave the care, to be named.
    #[deserr(default)]
    pub practitioner_id: Option<PractitionerId>,
    /// What is supplied: 1 to 200 lines.
    #[deserr(default)]
    pub lines: Vec<NewLine>,
    /// Taken off the whole, before VAT: at most 10.
    #[deserr(default)]
    pub discounts: Vec<NewDiscount>,
    /// First day of the supply; the day of issue where none is said.
    #[deserr(default)]
    pub supplied_from: Option<Day>,
    /// Last day of the supply; the first where none is said.
    #[deserr(default)]
    pub supplied_until: Option<Day>,
    /// The buyer's own reference, such as an order number.
    #[deserr(default)]
    pub buyer_reference: Option<Label>,
    /// What the complementary insurer (mutuelle) pays of it.
    #[deserr(default)]
    pub insurer: Option<InsurerShare>,
    /// The language of the fixed words; the patient's where none is said.
    #[deserr(default)]
    pub language: Option<Language>,
}

/// Who is to pay, if not the patient as registered.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewBuyer {
    /// Name of the person or of the company.
    pub name: FullName,
    /// Where it is.
    #[deserr(default)]
    pub address: Option<PostalAddress>,
    /// Of a company: SIREN.
    #[deserr(default)]
    pub siren: Option<Siren>,
    /// Of a company: VAT identifier.
    #[deserr(default)]
    pub vat_id: Option<VatId>,
    /// Where mail goes.
    #[deserr(default)]
    pub email: Option<EmailAddress>,
}

/// One line as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields, validate = one_discount -> Invalid)]
pub struct NewLine {
    /// What it is.
    #[schema(example = "Séance d'ostéopathie")]
    pub name: FullName,
    /// More of it, in several lines if wanted.
    #[deserr(default)]
    pub description: Option<Description>,
    /// How much, thousandths of the unit.
    #[deserr(default)]
    #[serde(default)]
    #[schema(default = 1000)]
    pub quantity: Quantity,
    /// Its unit.
    #[deserr(default)]
    #[serde(default)]
    #[schema(default = "C62")]
    pub unit: Unit,
    /// Price of one before VAT, euro cents.
    #[schema(value_type = i64, minimum = 0, maximum = 100_000_000, example = 6000)]
    pub unit_price: Price,
    /// Taken off the line before VAT, euro cents.
    #[deserr(default)]
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub discount: Option<Part>,
    /// Taken off the line before VAT, hundredths of a percent of it.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10000)]
    pub discount_rate: Option<Rate>,
    /// Its VAT; 20 % where none is said, or none at all where the practice is below the threshold.
    #[deserr(default)]
    pub vat: Option<NewVat>,
}

/// Hundredths of a percent.
pub type Rate = Whole<0, 0, 10_000>;

/// What VAT there is on something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewVat {
    /// Why: `standard`, `care` (exempt, CGI art. 261-4-1°) or `franchise` (CGI art. 293 B).
    pub category: VatCategory,
    /// Of `standard`: one of the practice's rates, hundredths of a percent; 2000 where none is said.
    #[deserr(default)]
    #[serde(default)]
    pub rate: Option<u32>,
}

/// A discount on the whole as it is written: an amount or a rate.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields, validate = amount_or_rate -> Invalid)]
pub struct NewDiscount {
    /// Why.
    pub reason: Label,
    /// Taken off before VAT, euro cents.
    #[deserr(default)]
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub amount: Option<Part>,
    /// Taken off before VAT, hundredths of a percent of all lines.
    #[deserr(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10000)]
    pub rate: Option<Rate>,
}

/// What the complementary insurer pays.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct InsurerShare {
    /// Its name.
    #[deserr(default)]
    pub name: Option<Label>,
    /// Its part of the whole with VAT, euro cents.
    #[schema(value_type = i64, minimum = 0)]
    pub share: Part,
}

text_field!(
    /// Several lines of text: 1 to 2000 characters, no control character but line ends.
    Description, "Première consultation, 45 minutes", |text| {
        let text = text.trim().replace("\r\n", "\n");
        let strange = |letter: char| letter.is_control() && letter != '\n';
        if text.is_empty() || text.chars().count() > 2000 || text.chars().any(strange) {
            let expected = "1 to 2000 characters, no control character but line ends";
            return Err(Problem::new("", "not_a_text", expected));
        }
        Ok(text)
    }
);

/// A unit of quantities, by its code of UN/ECE recommendation 20.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Unit {
    /// One.
    #[default]
    C62,
    /// Hour.
    #[deserr(rename = "HUR")]
    Hur,
    /// Minute.
    #[deserr(rename = "MIN")]
    Min,
    /// Day.
    #[deserr(rename = "DAY")]
    Day,
    /// Kilogram.
    #[deserr(rename = "KGM")]
    Kgm,
    /// Gram.
    #[deserr(rename = "GRM")]
    Grm,
    /// Litre.
    #[deserr(rename = "LTR")]
    Ltr,
    /// Metre.
    #[deserr(rename = "MTR")]
    Mtr,
}

impl Unit {
    /// The unit's code.
    pub fn code(self) -> &'static str {
        match self {
            Self::C62 => "C62",
            Self::Hur => "HUR",
            Self::Min => "MIN",
            Self::Day => "DAY",
            Self::Kgm => "KGM",
            Self::Grm => "GRM",
            Self::Ltr => "LTR",
            Self::Mtr => "MTR",
        }
    }
}

fn one_discount(line: NewLine, location: ValuePointerRef<'_>) -> Result<NewLine, Invalid> {
    if line.discount.is_some() && line.discount_rate.is_some() {
        return Err(one_of(location, "discount", "either discount or discount_rate"));
    }
    Ok(line)
}

fn amount_or_rate(discount: NewDiscount, location: ValuePointerRef<'_>) -> Result<NewDiscount, Invalid> {
    if discount.amount.is_some() == discount.rate.is_some() {
        return Err(one_of(location, "amount", "either amount or rate"));
    }
    Ok(discount)
}

fn one_of(location: ValuePointerRef<'_>, field: &str, expected: &str) -> Invalid {
    Invalid(vec![Problem::new(child(location, field), "one_of", expected)])
}
