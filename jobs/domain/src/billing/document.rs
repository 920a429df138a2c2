//! What an invoice, a credit note or a quote says, whole: frozen with its number when it is issued, so that its PDF and
//! its XML can be made from this alone, any number of times. Holds no rule.

use chrono::NaiveDate;
use deserr::Deserr;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Cents, Quantity};
use crate::field::Language;

/// What kind of paper it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Deserr, sqlx::Type, ToSchema)]
#[deserr(rename_all = camelCase)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// It asks to be paid (UNTDID 1001: 380).
    Invoice,
    /// It takes back an invoice or a part of one; its amounts are positive (UNTDID 1001: 381).
    #[deserr(rename = "credit_note")]
    CreditNote,
    /// It proposes, and is no Factur-X.
    Quote,
}

/// An invoice, a credit note or a quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What kind of paper it is.
    pub kind: DocumentKind,
    /// Its number (BT-1).
    pub number: String,
    /// Day of issue (BT-2).
    pub issued_on: NaiveDate,
    /// First and last day of the supply (BT-73, BT-74; BT-72 where they are the same).
    pub supplied: (NaiveDate, NaiveDate),
    /// Last day to pay (BT-9); for a quote, last day to accept.
    pub due_on: NaiveDate,
    /// The language of its fixed words.
    pub language: Language,
    /// Who sells: the practice.
    pub seller: Seller,
    /// Who is to pay.
    pub buyer: Buyer,
    /// The buyer's own reference, such as an order number (BT-13).
    pub buyer_reference: Option<String>,
    /// What was supplied, 1 to 200 lines.
    pub lines: Vec<Line>,
    /// Discounts on the whole (BG-20), one for each VAT that they lower.
    pub allowances: Vec<Allowance>,
    /// The totals of each VAT (BG-23).
    pub vat: Vec<VatTotal>,
    /// The totals of the whole (BG-22).
    pub totals: Totals,
    /// How patient and complementary insurer share it, where they do.
    pub shares: Option<Shares>,
    /// The invoice that a credit note takes back (BG-3).
    pub credits: Option<Referenced>,
    /// How and until when it is to be paid.
    pub terms: PaymentTerms,
    /// The words of the practice's template, Markdown with its placeholders filled in; the standard layout where there
    /// is none.
    pub words: Option<String>,
    /// Where the practice's logo lies in the object store.
    pub logo: Option<String>,
}

/// Where a party is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Address {
    /// Street and number.
    pub line: String,
    /// Complement.
    pub complement: Option<String>,
    /// Postcode.
    pub postcode: String,
    /// Town.
    pub city: String,
    /// ISO 3166-1, two capital letters.
    pub country: String,
}

/// The practice as a seller (BG-4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// Legal name (BT-27).
    pub legal_name: String,
    /// The name that patients know (BT-28).
    pub trading_name: Option<String>,
    /// Legal form and share capital, as the law wants them printed (BT-33).
    pub legal_form: Option<String>,
    /// Address (BG-5).
    pub address: Address,
    /// SIRET, 14 digits; its first 9 are the SIREN (BT-30).
    pub siret: String,
    /// VAT identifier (BT-31).
    pub vat_id: Option<String>,
    /// The practitioner's name and RPPS or ADELI number, as printed.
    pub practitioner: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Address for questions (BT-43).
    pub email: Option<String>,
}

/// Who is to pay (BG-7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Buyer {
    /// Name of the patient or of the company (BT-44).
    pub name: String,
    /// Address (BG-8).
    pub address: Option<Address>,
    /// Of a company: SIREN, 9 digits (BT-47). Without one the buyer is a patient and the invoice needs EN 16931 only.
    pub siren: Option<String>,
    /// Of a company: VAT identifier (BT-48).
    pub vat_id: Option<String>,
    /// Where the mail goes.
    pub email: Option<String>,
}

/// What VAT there is on something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Vat {
    /// Why this rate.
    pub category: VatCategory,
    /// Hundredths of a percent: `2000` is 20 %. 0 unless the category is standard.
    pub rate: u32,
}

/// Why VAT is due or is not.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Deserr, ToSchema,
)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
pub enum VatCategory {
    /// A rate above 0 (category S).
    Standard,
    /// Care, exempt: CGI art. 261-4-1° (category E, `VATEX-FR-CGI261-4`).
    Care,
    /// The seller is below the threshold: CGI art. 293 B (category E, `VATEX-FR-FRANCHISE`).
    Franchise,
}

/// One line (BG-25).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// What it is (BT-153), one line.
    pub name: String,
    /// More of it (BT-154), several lines.
    pub description: Option<String>,
    /// How much (BT-129).
    pub quantity: Quantity,
    /// Its unit, UN/ECE recommendation 20: `C62` (one), `HUR` (hour), `MIN`, `DAY`, `KGM`, `GRM`, `LTR`, `MTR`.
    pub unit: String,
    /// Price of one before VAT (BT-146).
    pub unit_price: Cents,
    /// Taken off this line before VAT (BG-27).
    pub discount: Cents,
    /// Its VAT (BG-30).
    pub vat: Vat,
    /// Quantity times price, rounded half away from zero, less the discount (BT-131).
    pub net: Cents,
}

/// A discount on the whole (BG-20).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Allowance {
    /// Why (BT-97).
    pub reason: String,
    /// Taken off before VAT (BT-92).
    pub amount: Cents,
    /// The VAT whose basis it lowers.
    pub vat: Vat,
}

/// The totals of one VAT (BG-23).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VatTotal {
    /// Which.
    pub vat: Vat,
    /// What it is due on (BT-116).
    pub basis: Cents,
    /// Basis times rate, rounded half away from zero (BT-117).
    pub tax: Cents,
}

/// The totals of the whole (BG-22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Sum of the lines (BT-106).
    pub lines: Cents,
    /// Sum of the discounts on the whole (BT-107).
    pub allowances: Cents,
    /// Before VAT (BT-109).
    pub net: Cents,
    /// VAT (BT-110).
    pub vat: Cents,
    /// With VAT (BT-112).
    pub gross: Cents,
    /// Paid before it was issued (BT-113).
    pub paid: Cents,
    /// Left to pay when it was issued (BT-115).
    pub due: Cents,
}

/// Who pays which part of what is left to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shares {
    /// The patient's part.
    pub patient: Cents,
    /// The part of the complementary insurer (mutuelle).
    pub insurer: Cents,
    /// The insurer's name.
    pub insurer_name: Option<String>,
}

/// Another document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Referenced {
    /// Its number (BT-25).
    pub number: String,
    /// Its day of issue (BT-26).
    pub issued_on: NaiveDate,
}

/// How it is to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentTerms {
    /// In words (BT-20), such as "Paiement à 30 jours".
    pub words: String,
    /// IBAN of the practice (BT-84), where it takes transfers.
    pub iban: Option<String>,
    /// BIC of its bank (BT-86).
    pub bic: Option<String>,
    /// Interest for late payment in words, for a company (C. com. L441-10; note PMD).
    pub late_penalty: Option<String>,
}
