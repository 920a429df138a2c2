//! What a credit note comes to: all of an invoice, what is left of it, some of its lines, or an amount. Pure. Credit notes
//! of one invoice never take back more than it says, of any VAT and of any line.

use serde::{Deserialize, Serialize};

use super::{
    Allowance, Cents, CreditedLine, Document, Line, Quantity, Vat, VatTotal,
    reckon::{Reckoned, added_up, by_vat, split, tax, times},
};
use crate::error::{Error, Problem, Result};

/// How much of a line a credit note takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taken {
    /// Its place on the invoice, from 1.
    pub(super) line: usize,
    pub(super) quantity: Quantity,
}

/// An invoice, and what earlier credit notes have taken back of it.
pub(super) struct Credited<'a> {
    pub(super) invoice: &'a Document,
    pub(super) earlier: &'a [Document],
    pub(super) taken: &'a [Taken],
}

impl Credited<'_> {
    /// What is left of each VAT's basis, and what was taken.
    fn bases(&self) -> Vec<(Vat, Cents, Cents)> {
        let credited =
            by_vat(self.earlier.iter().flat_map(|note| &note.vat).map(|total| (total.vat, total.basis)));
        let of =
            |vat: Vat| credited.iter().find(|(other, _)| *other == vat).map_or(Cents::ZERO, |(_, sum)| *sum);
        self.invoice.vat.iter().map(|total| (total.vat, total.basis - of(total.vat), of(total.vat))).collect()
    }

    /// All of the invoice where nothing was taken back, else all that is left of it, in one line for each VAT.
    pub(super) fn rest(&self, name: &str) -> Result<Reckoned> {
        if self.earlier.is_empty() {
            let Document { lines, allowances, vat, .. } = self.invoice.clone();
            return Ok(added_up(lines, allowances, vat));
        }
        let left: Vec<Cents> = self.bases().iter().map(|(_, left, _)| *left).collect();
        self.in_one_line_each(name, &left)
    }

    /// An amount before VAT, spread over the VATs as they are left.
    pub(super) fn amount(&self, name: &str, amount: Cents) -> Result<Reckoned> {
        let left: Vec<Cents> = self.bases().iter().map(|(_, left, _)| *left).collect();
        let whole: Cents = left.iter().copied().sum();
        if amount > whole {
            return Err(above(whole));
        }
        self.in_one_line_each(name, &split(amount, &left))
    }

    fn in_one_line_each(&self, name: &str, parts: &[Cents]) -> Result<Reckoned> {
        let bases = self.bases();
        let lines =
            bases.iter().zip(parts).filter(|(_, part)| **part > Cents::ZERO).map(|((vat, ..), part)| Line {
                name: name.to_owned(),
                description: None,
                quantity: Quantity::default(),
                unit: super::Unit::default().code().to_owned(),
                unit_price: *part,
                discount: Cents::ZERO,
                vat: *vat,
                net: *part,
            });
        self.of(lines.collect(), Vec::new())
    }

    /// Some lines, whole or in part, each less its part of the discounts on the whole.
    pub(super) fn lines(&self, wanted: &[Taken]) -> Result<Reckoned> {
        let lines: Vec<Line> = wanted
            .iter()
            .map(|taken| self.part(*taken))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::internal("a credited line was not checked"))?;
        let mut allowances = Vec::new();
        for (vat, net) in by_vat(lines.iter().map(|line| (line.vat, line.net))) {
            let sum = |amounts: Vec<Cents>| amounts.into_iter().sum::<Cents>();
            let whole =
                sum(self.invoice.lines.iter().filter(|line| line.vat == vat).map(|line| line.net).collect());
            let of_vat = self.invoice.allowances.iter().filter(|allowance| allowance.vat == vat);
            for allowance in of_vat {
                // Rounded up: lines taken back one by one never come to more than the invoice.
                let exact = i128::from(allowance.amount.0) * i128::from(net.0);
                let up = (exact + i128::from(whole.0) - 1) / i128::from(whole.0.max(1));
                let amount = Cents(i64::try_from(up).map_err(Error::internal)?).min(allowance.amount);
                if amount > Cents::ZERO {
                    allowances.push(Allowance { reason: allowance.reason.clone(), amount, vat });
                }
            }
        }
        self.of(lines, allowances)
    }

    /// A quantity of a line.
    fn part(&self, Taken { line, quantity }: Taken) -> Option<Line> {
        let whole = self.invoice.lines.get(line.checked_sub(1)?)?;
        if quantity == whole.quantity {
            return Some(whole.clone());
        }
        let gross = times(quantity, whole.unit_price)?;
        let exact = i128::from(whole.discount.0) * i128::from(quantity.0);
        let discount = Cents(i64::try_from(exact / i128::from(whole.quantity.0)).ok()?).min(gross);
        Some(Line { quantity, discount, net: gross - discount, ..whole.clone() })
    }

    /// Which lines are wanted, or what is wrong with that.
    pub(super) fn wanted(&self, lines: &[CreditedLine]) -> std::result::Result<Vec<Taken>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut wanted: Vec<Taken> = Vec::new();
        for (place, CreditedLine { line, quantity }) in lines.iter().enumerate() {
            let number = usize::try_from(line.get()).unwrap_or(usize::MAX);
            let field = |name: &str| format!("lines[{place}].{name}");
            let Some(of) = number.checked_sub(1).and_then(|index| self.invoice.lines.get(index)) else {
                let expected = format!("a line of the invoice, from 1 to {}", self.invoice.lines.len());
                problems.push(Problem::new(field("line"), "unknown_line", expected).read(number));
                continue;
            };
            if wanted.iter().any(|taken| taken.line == number) {
                problems.push(Problem::new(field("line"), "repeated", "each line once").read(number));
                continue;
            }
            let before: i64 =
                self.taken.iter().filter(|taken| taken.line == number).map(|taken| taken.quantity.0).sum();
            let left = of.quantity.0 - before;
            let quantity = quantity.unwrap_or(Quantity(left));
            if quantity.0 > left || left <= 0 {
                let expected = format!("at most the {left} thousandths that are left of the line");
                problems
                    .push(Problem::new(field("quantity"), "above_what_is_left", expected).read(quantity.0));
                continue;
            }
            wanted.push(Taken { line: number, quantity });
        }
        if problems.is_empty() { Ok(wanted) } else { Err(problems) }
    }

    /// Adds up, and refuses what is more than is left. The VAT of all credit notes together is that of their bases
    /// together, so that the last of them takes back the last cent.
    fn of(&self, lines: Vec<Line>, allowances: Vec<Allowance>) -> Result<Reckoned> {
        let bases = self.bases();
        let nets = lines.iter().map(|line| (line.vat, line.net));
        let off = allowances.iter().map(|allowance| (allowance.vat, -allowance.amount));
        let mut totals = Vec::new();
        for (vat, basis) in by_vat(nets.chain(off)) {
            let (left, before) = bases
                .iter()
                .find(|(other, ..)| *other == vat)
                .map_or((Cents::ZERO, Cents::ZERO), |(_, left, before)| (*left, *before));
            if basis > left {
                return Err(above(bases.iter().map(|(_, left, _)| *left).sum()));
            }
            totals.push(VatTotal { vat, basis, tax: tax(before + basis, vat.rate) - tax(before, vat.rate) });
        }
        let reckoned = added_up(lines, allowances, totals);
        if reckoned.totals.net <= Cents::ZERO && reckoned.totals.gross <= Cents::ZERO {
            return Err(Error::conflict("nothing_left", "nothing is left to take back"));
        }
        Ok(reckoned)
    }
}

fn above(left: Cents) -> Error {
    Error::conflict("above_what_is_left", format!("{} cents before VAT are left to take back", left.0))
}

/// How a credit note lowers the parts of patient and insurer: as was said, else the patient's first.
pub(super) fn insurer_part(
    gross: Cents,
    said: Option<Cents>,
    patient_left: Cents,
    insurer_left: Cents,
) -> Result<Cents> {
    let part = said.unwrap_or_else(|| (gross - patient_left.max(Cents::ZERO)).max(Cents::ZERO));
    if part > insurer_left || part > gross || gross - part > patient_left {
        return Err(Error::conflict(
            "above_share",
            format!(
                "of the shares {} cents of the patient and {} of the insurer are left",
                patient_left.0, insurer_left.0
            ),
        ));
    }
    Ok(part)
}

#[cfg(test)]
#[path = "credit_laws.rs"]
mod laws;
