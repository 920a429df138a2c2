//! What is written on an invoice or a quote, and the lines and totals that follow from it under the practice's settings.
//! Pure: it knows no patient and no number.

use deserr::{Deserr, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Cents, Line, Part, Price, Quantity, Siren, Vat, VatCategory, VatId,
    reckon::{Discount, Off, Reckoned, reckon, times},
};
use crate::{
    address::PostalAddress,
    error::{Invalid, Problem, Result, child},
    field::{Day, EmailAddress, FullName, Label, Language, Whole},
    ids::{AppointmentId, PatientId, PractitionerId},
    tenants::Settings,
    text_field,
};

/// Most lines of one document.
const LINES: usize = 200;
/// Most discounts on the whole of one document.
const DISCOUNTS: usize = 10;
/// Hundredths of a percent: the rate where none is said.
const USUAL_RATE: u32 = 2000;

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

impl NewVat {
    /// The VAT that it means for this practice.
    pub(super) fn of(vat: Option<Self>, settings: &Settings) -> Result<Vat, Problem> {
        let franchise = settings.billing.as_ref().is_some_and(|billing| billing.franchise);
        let usual = if franchise { VatCategory::Franchise } else { VatCategory::Standard };
        let Self { category, rate } = vat.unwrap_or(Self { category: usual, rate: None });
        match category {
            VatCategory::Standard if franchise => Err(Problem::new(
                "category",
                "vat_in_franchise",
                "care or franchise: by the settings the practice charges no VAT",
            )),
            VatCategory::Franchise if !franchise => Err(Problem::new(
                "category",
                "not_in_franchise",
                "care or standard: by the settings the practice charges VAT",
            )),
            VatCategory::Standard => {
                let rate = rate.unwrap_or(USUAL_RATE);
                let allowed: Vec<u32> =
                    settings.vat_rates.iter().map(|rate| rate.get()).filter(|rate| *rate > 0).collect();
                if allowed.contains(&rate) {
                    return Ok(Vat { category, rate });
                }
                let allowed: Vec<String> = allowed.iter().map(u32::to_string).collect();
                let expected = format!("one of the practice's rates: {}", allowed.join(", "));
                Err(Problem::new("rate", "unknown_vat_rate", expected).read(rate))
            }
            VatCategory::Care | VatCategory::Franchise if rate.is_some_and(|rate| rate > 0) => {
                Err(Problem::new("rate", "exempt", "no rate: there is no VAT on it").read(rate.unwrap_or(0)))
            }
            VatCategory::Care | VatCategory::Franchise => Ok(Vat { category, rate: 0 }),
        }
    }
}

impl NewLine {
    fn reckoned(&self, place: usize, settings: &Settings) -> Result<Line, Problem> {
        let field = |name: &str| format!("lines[{place}].{name}");
        let vat = NewVat::of(self.vat, settings)
            .map_err(|problem| Problem { field: field(&format!("vat.{}", problem.field)), ..problem })?;
        let whole = times(self.quantity, self.unit_price.get()).ok_or_else(|| {
            let expected = "a quantity and a price that come to a billion euros at most";
            Problem::new(field("unit_price"), "amount_too_large", expected)
        })?;
        let off = match (self.discount, self.discount_rate) {
            (Some(amount), _) => Off::Amount(amount.get()),
            (None, rate) => Off::Rate(rate.unwrap_or_default().get()),
        };
        let discount = off.of(whole);
        if discount > whole {
            let expected = format!("at most the {} cents of the line", whole.0);
            return Err(Problem::new(field("discount"), "discount_too_large", expected).read(discount.0));
        }
        Ok(Line {
            name: self.name.as_str().to_owned(),
            description: self.description.as_ref().map(|text| text.as_str().to_owned()),
            quantity: self.quantity,
            unit: self.unit.code().to_owned(),
            unit_price: self.unit_price.get(),
            discount,
            vat,
            net: whole - discount,
        })
    }
}

impl InvoiceContent {
    /// Lines and totals under the practice's settings, or all that is wrong with what is written.
    pub(super) fn reckoned(&self, settings: &Settings) -> Result<Reckoned> {
        let mut problems = self.shape();
        let mut lines = Vec::new();
        for (place, line) in self.lines.iter().enumerate() {
            match line.reckoned(place, settings) {
                Ok(line) => lines.push(line),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(Invalid(problems).into());
        }
        let discounts: Vec<Discount> = self.discounts.iter().map(Discount::from).collect();
        let reckoned = reckon(lines, &discounts).map_err(Invalid)?;
        let (share, gross) = (self.insurer_share(), reckoned.totals.gross);
        if share > gross {
            let expected = format!("at most the whole with VAT, {} cents", gross.0);
            let problem = Problem::new("insurer.share", "share_too_large", expected).read(share.0);
            return Err(Invalid(vec![problem]).into());
        }
        Ok(reckoned)
    }

    /// The insurer's part.
    pub(super) fn insurer_share(&self) -> Cents {
        self.insurer.as_ref().map_or(Cents::ZERO, |insurer| insurer.share.get())
    }

    fn shape(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.patient_id.is_none() && self.buyer.is_none() {
            let expected = "a patient, a buyer or an appointment";
            problems.push(Problem::new("patient_id", "one_of", expected));
        }
        if !(1..=LINES).contains(&self.lines.len()) {
            let expected = format!("1 to {LINES} lines");
            problems.push(Problem::new("lines", "wrong_length", expected).read(self.lines.len()));
        }
        if self.discounts.len() > DISCOUNTS {
            let expected = format!("at most {DISCOUNTS} discounts");
            problems.push(Problem::new("discounts", "wrong_length", expected).read(self.discounts.len()));
        }
        match (self.supplied_from, self.supplied_until) {
            (None, Some(_)) => {
                problems.push(Problem::new("supplied_from", "missing", "a first day beside the last"));
            }
            (Some(Day(from)), Some(Day(until))) if until < from => {
                let expected = "a day that is not before supplied_from";
                problems.push(Problem::new("supplied_until", "wrong_order", expected).read(until));
            }
            _ => {}
        }
        problems
    }
}

impl From<&NewDiscount> for Discount {
    fn from(discount: &NewDiscount) -> Self {
        let off = match (discount.amount, discount.rate) {
            (Some(amount), _) => Off::Amount(amount.get()),
            (None, rate) => Off::Rate(rate.unwrap_or_default().get()),
        };
        Self { reason: discount.reason.as_str().to_owned(), off }
    }
}
