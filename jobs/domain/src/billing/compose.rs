//! The lines and totals that follow from what is written, under the practice's settings. Pure: it knows no patient and no
//! number.

use super::{
    Cents, InvoiceContent, Line, NewDiscount, NewLine, NewVat, Vat, VatCategory,
    reckon::{Discount, Off, Reckoned, reckon, times},
};
use crate::{
    error::{Invalid, Problem, Result},
    field::Day,
    tenants::Settings,
};

/// Most lines of one document.
const LINES: usize = 200;
/// Most discounts on the whole of one document.
const DISCOUNTS: usize = 10;
/// Hundredths of a percent: the rate where none is said.
const USUAL_RATE: u32 = 2000;

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
