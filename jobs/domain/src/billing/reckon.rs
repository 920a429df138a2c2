//! What an invoice comes to, by the rules of EN 16931: each line is rounded by itself, VAT is reckoned once for each rate
//! on the sum of its lines, and every total is the sum of what stands above it (BR-CO-10 to BR-CO-17). Pure.

use super::{Allowance, Cents, Line, Quantity, Totals, Vat, VatTotal};
use crate::error::Problem;

/// The most that one line may come to: a billion euros. With the most lines and the highest rate every product below
/// stays within 64 bits.
const MOST: i64 = 100_000_000_000;
/// Hundredths of a percent in a whole.
const WHOLE: i64 = 10_000;

/// A discount on the whole that is to be split over the VATs it lowers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Discount {
    pub(super) reason: String,
    pub(super) off: Off,
}

/// How much is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Off {
    /// An amount before VAT.
    Amount(Cents),
    /// Hundredths of a percent.
    Rate(u32),
}

impl Off {
    /// What it takes off a whole.
    pub(super) fn of(self, whole: Cents) -> Cents {
        match self {
            Self::Amount(amount) => amount,
            Self::Rate(rate) => Cents(rounded(whole.0 * i64::from(rate), WHOLE)),
        }
    }
}

/// Lines with all that follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reckoned {
    pub(super) lines: Vec<Line>,
    pub(super) allowances: Vec<Allowance>,
    pub(super) vat: Vec<VatTotal>,
    pub(super) totals: Totals,
}

impl Reckoned {
    /// Of what has no lines.
    pub(super) fn nothing() -> Self {
        added_up(Vec::new(), Vec::new(), Vec::new())
    }
}

/// Divides, rounding half away from zero. The denominator is above zero.
pub(super) fn rounded(numerator: i64, denominator: i64) -> i64 {
    let half = denominator / 2 * numerator.signum();
    // With an odd denominator there is no half to be away from.
    (numerator + half) / denominator
}

/// Quantity times price, rounded; `None` above the most that a line may come to.
pub(super) fn times(quantity: Quantity, price: Cents) -> Option<Cents> {
    let product = quantity.0.checked_mul(price.0)?;
    Some(Cents(rounded(product, 1000))).filter(|amount| amount.0 <= MOST)
}

/// VAT on a basis.
pub(super) fn tax(basis: Cents, rate: u32) -> Cents {
    Cents(rounded(basis.0 * i64::from(rate), WHOLE))
}

/// Adds up lines whose nets are reckoned, and takes the discounts off.
pub(super) fn reckon(lines: Vec<Line>, discounts: &[Discount]) -> Result<Reckoned, Vec<Problem>> {
    let sum: Cents = lines.iter().map(|line| line.net).sum();
    let mut bases: Vec<(Vat, Cents)> = by_vat(lines.iter().map(|line| (line.vat, line.net)));
    let mut allowances = Vec::new();
    let mut problems = Vec::new();
    for (place, discount) in discounts.iter().enumerate() {
        let left: Vec<Cents> = bases.iter().map(|(_, basis)| *basis).collect();
        let (amount, whole): (Cents, Cents) = (discount.off.of(sum), left.iter().copied().sum());
        if amount > whole {
            let expected = format!("at most the {} cents that are left to take it off", whole.0);
            problems.push(
                Problem::new(format!("discounts[{place}]"), "discount_too_large", expected).read(amount.0),
            );
            continue;
        }
        for ((vat, basis), part) in bases.iter_mut().zip(split(amount, &left)) {
            *basis -= part;
            if part > Cents::ZERO {
                allowances.push(Allowance { reason: discount.reason.clone(), amount: part, vat: *vat });
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let vat = bases.into_iter().map(|(vat, basis)| VatTotal { vat, basis, tax: tax(basis, vat.rate) });
    Ok(added_up(lines, allowances, vat.collect()))
}

/// The totals of parts that are reckoned.
pub(super) fn added_up(lines: Vec<Line>, allowances: Vec<Allowance>, vat: Vec<VatTotal>) -> Reckoned {
    let sum: Cents = lines.iter().map(|line| line.net).sum();
    let off: Cents = allowances.iter().map(|allowance| allowance.amount).sum();
    let tax: Cents = vat.iter().map(|total| total.tax).sum();
    let (net, gross) = (sum - off, sum - off + tax);
    let totals = Totals { lines: sum, allowances: off, net, vat: tax, gross, paid: Cents::ZERO, due: gross };
    Reckoned { lines, allowances, vat, totals }
}

/// Sums by VAT, in the order of the VATs.
pub(super) fn by_vat(amounts: impl Iterator<Item = (Vat, Cents)>) -> Vec<(Vat, Cents)> {
    let mut sums: std::collections::BTreeMap<Vat, Cents> = std::collections::BTreeMap::new();
    for (vat, amount) in amounts {
        *sums.entry(vat).or_default() += amount;
    }
    sums.into_iter().collect()
}

/// Splits an amount in proportion to parts; the cents that rounding down leaves go to those that lost most by it. The
/// amount is at most the sum of the parts, and none gets more than it has.
pub(super) fn split(amount: Cents, parts: &[Cents]) -> Vec<Cents> {
    let whole: i128 = parts.iter().map(|part| i128::from(part.0)).sum();
    if whole == 0 {
        return vec![Cents::ZERO; parts.len()];
    }
    let exact = |part: &Cents| i128::from(amount.0) * i128::from(part.0);
    let mut shares: Vec<i128> = parts.iter().map(|part| exact(part) / whole).collect();
    let mut rest = i128::from(amount.0) - shares.iter().sum::<i128>();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(exact(&parts[place]) % whole));
    for place in order {
        if rest == 0 {
            break;
        }
        shares[place] += 1;
        rest -= 1;
    }
    shares.into_iter().map(|share| Cents(i64::try_from(share).unwrap_or(i64::MAX))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::VatCategory, *};

    const STANDARD: Vat = Vat { category: VatCategory::Standard, rate: 2000 };
    const REDUCED: Vat = Vat { category: VatCategory::Standard, rate: 550 };
    const CARE: Vat = Vat { category: VatCategory::Care, rate: 0 };

    fn line(quantity: i64, price: i64, discount: i64, vat: Vat) -> Option<Line> {
        let (quantity, unit_price) = (Quantity(quantity), Cents(price));
        let whole = times(quantity, unit_price)?;
        let discount = Cents(discount.min(whole.0));
        let name = "x".to_owned();
        let unit = "C62".to_owned();
        let net = whole - discount;
        Some(Line { name, description: None, quantity, unit, unit_price, discount, vat, net })
    }

    fn off(amount: i64) -> Discount {
        Discount { reason: "x".to_owned(), off: Off::Amount(Cents(amount)) }
    }

    #[test]
    fn halves_go_away_from_zero() {
        for (numerator, denominator, result) in
            [(5, 10, 1), (4, 10, 0), (-5, 10, -1), (15, 10, 2), (1, 3, 0), (2, 3, 1), (-2, 3, -1), (0, 7, 0)]
        {
            assert_eq!(rounded(numerator, denominator), result, "{numerator}/{denominator}");
        }
    }

    #[test]
    fn vat_is_reckoned_on_the_sum_and_not_line_by_line() {
        // Three times 0.33 at 20 %: 0.07 each would be 0.21, 0.99 × 20 % is 0.20.
        let lines: Vec<Line> = (0..3).map(|_| line(1000, 33, 0, STANDARD).unwrap()).collect();
        let reckoned = reckon(lines, &[]).unwrap();
        assert_eq!(
            (reckoned.totals.net, reckoned.totals.vat, reckoned.totals.gross),
            (Cents(99), Cents(20), Cents(119))
        );
    }

    #[test]
    fn a_discount_is_split_over_the_vats_that_it_lowers() {
        let lines = vec![line(1000, 6000, 0, CARE).unwrap(), line(2500, 1999, 98, STANDARD).unwrap()];
        assert_eq!(lines[1].net, Cents(4900));
        let reckoned = reckon(lines, &[off(1000)]).unwrap();
        let split: Vec<_> = reckoned.allowances.iter().map(|part| (part.vat, part.amount.0)).collect();
        assert_eq!(split, [(STANDARD, 450), (CARE, 550)]);
        assert_eq!(reckoned.totals.gross, Cents(6000 - 550 + 4450 + 890));
    }

    #[test]
    fn no_discount_takes_more_than_there_is() {
        let lines = vec![line(1000, 1000, 0, CARE).unwrap()];
        let problems = reckon(lines, &[off(600), off(401)]).unwrap_err();
        assert_eq!((problems[0].field.as_str(), problems[0].code), ("discounts[1]", "discount_too_large"));
    }

    #[test]
    fn what_does_not_fit_is_told_and_not_wrapped() {
        assert_eq!(times(Quantity(i64::MAX), Cents(2)), None);
        assert_eq!(times(Quantity(1_000_000_000), Cents(100_000_000)), None);
        let most = line(1000, MOST, 0, Vat { category: VatCategory::Standard, rate: 10_000 }).unwrap();
        let reckoned = reckon(vec![most; 200], &[]).unwrap();
        assert_eq!(reckoned.totals.gross, Cents(400 * MOST));
    }

    fn vats() -> impl Strategy<Value = Vat> {
        prop_oneof![Just(STANDARD), Just(REDUCED), Just(CARE)]
    }

    proptest! {
        #[test]
        fn totals_always_add_up(
            raw in prop::collection::vec((1..5_000_000_i64, 0..1_000_000_i64, 0..10_000_i64, vats()), 1..40),
            discounts in prop::collection::vec(0..50_000_i64, 0..4),
        ) {
            let lines: Vec<Line> = raw.into_iter().filter_map(|(q, p, d, vat)| line(q, p, d, vat)).collect();
            let discounts: Vec<Discount> = discounts.into_iter().map(off).collect();
            let Ok(Reckoned { lines, allowances, vat, totals }) = reckon(lines, &discounts) else { return Ok(()) };
            // BR-CO-10, 11, 13, 14, 15, 16.
            prop_assert_eq!(totals.lines, lines.iter().map(|l| l.net).sum::<Cents>());
            prop_assert_eq!(totals.allowances, allowances.iter().map(|a| a.amount).sum::<Cents>());
            prop_assert_eq!(totals.net, totals.lines - totals.allowances);
            prop_assert_eq!(totals.vat, vat.iter().map(|v| v.tax).sum::<Cents>());
            prop_assert_eq!(totals.gross, totals.net + totals.vat);
            prop_assert_eq!(totals.due, totals.gross - totals.paid);
            // BR-S-08, BR-CO-17: each VAT's basis is its lines less its discounts, its tax follows; none is below zero.
            prop_assert_eq!(totals.net, vat.iter().map(|v| v.basis).sum::<Cents>());
            for total in &vat {
                let of = |vat: &Vat| *vat == total.vat;
                let nets: Cents = lines.iter().filter(|l| of(&l.vat)).map(|l| l.net).sum();
                let off: Cents = allowances.iter().filter(|a| of(&a.vat)).map(|a| a.amount).sum();
                prop_assert_eq!(total.basis, nets - off);
                prop_assert_eq!(total.tax, tax(total.basis, total.vat.rate));
                prop_assert!(total.basis >= Cents::ZERO);
            }
            let wanted: Cents = discounts.iter().map(|d| d.off.of(totals.lines)).sum();
            prop_assert_eq!(totals.allowances, wanted, "every cent of a discount is taken off");
        }

        #[test]
        fn a_split_loses_no_cent_and_overdraws_nobody(
            parts in prop::collection::vec(0..1_000_000_i64, 1..8), share in 0.0..=1.0_f64,
        ) {
            let whole: i64 = parts.iter().sum();
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any amount up to the whole will do")]
            let amount = ((whole as f64 * share) as i64).min(whole);
            let parts: Vec<Cents> = parts.into_iter().map(Cents).collect();
            let shares = split(Cents(amount), &parts);
            prop_assert_eq!(shares.iter().copied().sum::<Cents>(), Cents(amount));
            prop_assert!(shares.iter().zip(&parts).all(|(share, part)| *share >= Cents::ZERO && share <= part));
        }
    }
}
