use permanence_domain::billing::Document;
use permanence_workers::billing;

use crate::documents;

/// The XML, an element a line.
fn xml(document: &Document) -> String {
    String::from_utf8(billing::xml(document).unwrap()).unwrap().replace("><", ">\n<")
}

#[test]
fn a_patient_s_invoice() {
    insta::assert_snapshot!(xml(&documents::short()));
}

#[test]
fn a_company_s_invoice() {
    insta::assert_snapshot!(xml(&documents::company()));
}

#[test]
fn a_credit_note() {
    insta::assert_snapshot!(xml(&documents::credit_note()));
}

#[test]
fn what_is_exempt_for_two_reasons_has_one_breakdown() {
    let mut document = documents::short();
    document.lines[1].vat = documents::FRANCHISE;
    documents::total(&mut document, 0);
    let xml = xml(&document);
    assert_eq!(xml.matches("<ram:BasisAmount>105.00<").count(), 1, "{xml}");
    assert!(xml.contains("du CGI ; TVA non applicable") && !xml.contains("ExemptionReasonCode"), "{xml}");
}
