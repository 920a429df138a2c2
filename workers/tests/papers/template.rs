use permanence_domain::billing::{Cents, Document};

use crate::{documents, printed};

fn in_words(words: &str) -> String {
    printed(&Document { words: Some(words.to_owned()), ..documents::short() })
}

/// Where these stand, in this order.
#[track_caller]
fn in_order(text: &str, wanted: &[&str]) {
    let mut rest = text;
    for piece in wanted {
        let found = rest.find(piece);
        assert!(found.is_some(), "{piece} is not there, or not in its place: {text}");
        rest = &rest[found.unwrap()..];
    }
}

#[test]
fn markers_place_what_is_invoiced() {
    let text = in_words("Bonjour,\n\n[[payment]]\n\nvoici :\n\n[[items]]\n\n[[totals]]\n\nMerci.");
    in_order(
        &text,
        &["Bonjour,", "IBAN", "voici :", "Désignation", "Net à payer", "Merci.", "art. 261-4-1°"],
    );
}

#[test]
fn what_the_words_leave_out_follows_them() {
    in_order(
        &in_words("Bonjour."),
        &["Facture", "Bonjour.", "Désignation", "Net à payer", "IBAN", "art. 261-4-1°"],
    );
    in_order(&in_words("[[totals]]\n\nMerci."), &["Net à payer", "Merci.", "Désignation", "IBAN"]);
    in_order(&in_words("text [[items]] in a line"), &["text [[items]] in a line", "Désignation"]);
}

#[test]
fn an_amount_to_pay_is_never_shown_twice() {
    let text = in_words("[[totals]]\n\n[[totals]]\n\n- [[totals]]");
    assert_eq!(text.matches("Net à payer").count(), 1, "{text}");
}

#[test]
fn a_company_is_told_what_late_payment_costs_and_a_patient_is_not() {
    let company = printed(&documents::company());
    for mention in ["Pénalités de retard", "40 €", "Pas d’escompte", "SIREN du client", "FR83404833048"]
    {
        assert!(company.contains(mention), "{mention}");
    }
    let patient = printed(&documents::short());
    assert!(
        !patient.contains("Pénalités") && patient.contains("Exonéré de TVA, art. 261-4-1° du CGI"),
        "{patient}"
    );
}

#[test]
fn a_seller_below_the_threshold_says_so() {
    let mut document = documents::short();
    for line in &mut document.lines {
        line.vat = documents::FRANCHISE;
    }
    documents::total(&mut document, 0);
    assert!(printed(&document).contains("TVA non applicable, art. 293 B du CGI"));
}

#[test]
fn what_is_settled_asks_for_nothing() {
    let mut document = documents::short();
    documents::total(&mut document, 100);
    assert_eq!(document.totals.due, Cents::ZERO);
    let text = printed(&document);
    assert!(text.contains("Facture acquittée") && !text.contains("IBAN"), "{text}");
}

#[test]
fn a_credit_note_names_its_invoice_and_a_quote_is_signed() {
    let note = printed(&documents::credit_note());
    assert!(note.contains("facture F2026-00043 du 25 novembre 2026") && !note.contains("IBAN"), "{note}");
    let quote = printed(&documents::quote());
    assert!(quote.contains("Bon pour accord") && quote.contains("Valable jusqu’au"), "{quote}");
}
