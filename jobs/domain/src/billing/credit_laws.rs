//! What must hold of credit notes, however an invoice is taken back.

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;
use crate::{
    billing::{
        Address, Buyer, DocumentKind, PaymentTerms, Seller, VatCategory,
        reckon::{Discount, Off, reckon},
    },
    field::{Language, Whole},
};

fn document(kind: DocumentKind, reckoned: Reckoned) -> Document {
    let address = Address {
        line: "1 rue X".to_owned(),
        complement: None,
        postcode: "75001".to_owned(),
        city: "Paris".to_owned(),
        country: "FR".to_owned(),
    };
    let (day, Reckoned { lines, allowances, vat, totals }) = (NaiveDate::default(), reckoned);
    Document {
        kind,
        number: "F2027-000001".to_owned(),
        issued_on: day,
        supplied: (day, day),
        due_on: day,
        language: Language::Fr,
        seller: Seller {
            legal_name: "Cabinet".to_owned(),
            trading_name: None,
            legal_form: None,
            address,
            siret: "73282932000074".to_owned(),
            vat_id: None,
            practitioner: None,
            phone: None,
            email: None,
        },
        buyer: Buyer { name: "Zoé".to_owned(), address: None, siren: None, vat_id: None, email: None },
        buyer_reference: None,
        lines,
        allowances,
        vat,
        totals,
        shares: None,
        credits: None,
        terms: PaymentTerms { words: String::new(), iban: None, bic: None, late_penalty: None },
        words: None,
        logo: None,
    }
}

fn invoice(raw: &[(i64, i64, bool)], off: i64) -> Option<Document> {
    let line = |(quantity, price, standard): &(i64, i64, bool)| {
        let vat = if *standard {
            Vat { category: VatCategory::Standard, rate: 2000 }
        } else {
            Vat { category: VatCategory::Care, rate: 0 }
        };
        let (quantity, unit_price) = (Quantity(*quantity), Cents(*price));
        Some(Line {
            name: "x".to_owned(),
            description: None,
            quantity,
            unit: "C62".to_owned(),
            unit_price,
            discount: Cents::ZERO,
            vat,
            net: times(quantity, unit_price)?,
        })
    };
    let lines: Vec<Line> = raw.iter().map(line).collect::<Option<_>>()?;
    let discount = Discount { reason: "x".to_owned(), off: Off::Amount(Cents(off)) };
    Some(document(DocumentKind::Invoice, reckon(lines, &[discount]).ok()?))
}

fn gross(notes: &[Document]) -> Cents {
    notes.iter().map(|note| note.totals.gross).sum()
}

#[test]
fn what_is_taken_back_line_by_line_is_never_more_and_the_rest_is_the_last_cent() {
    let invoice = invoice(&[(1000, 3333, true), (3000, 1111, true), (1000, 6000, false)], 1000).unwrap();
    let (mut notes, mut taken) = (Vec::new(), Vec::new());
    for quantity in [500, 500] {
        let line = CreditedLine { line: Whole::default(), quantity: Some(Quantity(quantity)) };
        let credited = Credited { invoice: &invoice, earlier: &notes, taken: &taken };
        let wanted = credited.wanted(&[line]).unwrap();
        let note = document(DocumentKind::CreditNote, credited.lines(&wanted).unwrap());
        taken.extend(wanted);
        notes.push(note);
    }
    let credited = Credited { invoice: &invoice, earlier: &notes, taken: &taken };
    let again = CreditedLine { line: Whole::default(), quantity: None };
    let problems = credited.wanted(&[again]).unwrap_err();
    assert_eq!((problems[0].field.as_str(), problems[0].code), ("lines[0].quantity", "above_what_is_left"));
    let rest = credited.rest("Reste").unwrap();
    assert_eq!(gross(&notes) + rest.totals.gross, invoice.totals.gross);
    notes.push(document(DocumentKind::CreditNote, rest));
    let credited = Credited { invoice: &invoice, earlier: &notes, taken: &taken };
    assert!(matches!(credited.rest("Reste"), Err(Error::Conflict { code: "nothing_left", .. })));
    let more = credited.amount("Plus", Cents(1));
    assert!(matches!(more, Err(Error::Conflict { code: "above_what_is_left", .. })));
}

#[test]
fn the_patients_part_is_lowered_first() {
    let part =
        |gross, said: Option<i64>| insurer_part(Cents(gross), said.map(Cents), Cents(60), Cents(40)).ok();
    assert_eq!(part(50, None), Some(Cents(0)));
    assert_eq!(part(70, None), Some(Cents(10)));
    assert_eq!(part(70, Some(40)), Some(Cents(40)));
    assert_eq!(part(70, Some(41)), None, "more than the insurer's part");
    assert_eq!(part(70, Some(5)), None, "more than the patient's part");
    assert_eq!(part(101, None), None);
}

proptest! {
    #[test]
    fn amounts_and_the_rest_come_to_exactly_the_invoice(
        raw in prop::collection::vec((1..5000_i64, 1..100_000_i64, any::<bool>()), 1..6),
        off in 0..1000_i64,
        amounts in prop::collection::vec(1..50_000_i64, 0..6),
    ) {
        let Some(invoice) = invoice(&raw, off) else { return Ok(()) };
        if invoice.totals.gross <= Cents::ZERO {
            return Ok(());
        }
        let mut notes = Vec::new();
        for amount in amounts {
            let credited = Credited { invoice: &invoice, earlier: &notes, taken: &[] };
            if let Ok(reckoned) = credited.amount("x", Cents(amount)) {
                prop_assert_eq!(reckoned.totals.net, Cents(amount));
                notes.push(document(DocumentKind::CreditNote, reckoned));
            }
            prop_assert!(gross(&notes) <= invoice.totals.gross);
        }
        let credited = Credited { invoice: &invoice, earlier: &notes, taken: &[] };
        if let Ok(rest) = credited.rest("x") {
            for total in &rest.vat {
                // One cent at most from the VAT of its own basis alone: EN 16931 allows that.
                prop_assert!((total.tax - tax(total.basis, total.vat.rate)).0.abs() <= 1);
            }
            notes.push(document(DocumentKind::CreditNote, rest));
        }
        prop_assert_eq!(gross(&notes), invoice.totals.gross);
    }
}
