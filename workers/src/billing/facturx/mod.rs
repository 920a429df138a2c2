//! The XML of an invoice or a credit note: UN/CEFACT Cross Industry Invoice, profile EN 16931 of Factur-X 1.0. What is sold to a
//! company carries in addition what French e-invoicing wants (XP Z12-012). Elements stand in the order of the schema.

mod line;
mod party;
mod settlement;

use std::io;

use chrono::NaiveDate;
use permanence_domain::billing::{Cents, Document, DocumentKind, Vat, VatCategory};

use super::words;
use crate::paper::{Attachment, Extension, PaperError};
use crate::xml::Xml;

const NAMESPACES: [(&str, &str); 4] = [
    ("xmlns:rsm", "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"),
    ("xmlns:ram", "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"),
    ("xmlns:udt", "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"),
    ("xmlns:qdt", "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"),
];
/// The profile (BT-24).
const PROFILE: &str = "urn:cen.eu:en16931:2017";
const CURRENCY: &str = "EUR";

/// The XML as the file that the PDF carries.
pub(super) fn attachment(document: &Document) -> Result<Attachment, PaperError> {
    Ok(Attachment {
        name: "factur-x.xml",
        description: "Factur-X",
        media_type: "text/xml",
        content: write(document)?,
        extension: Extension {
            title: "Factur-X PDFA Extension Schema",
            namespace: "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#",
            prefix: "fx",
            properties: &[
                ("DocumentFileName", "factur-x.xml", "The name of the embedded XML document"),
                ("DocumentType", "INVOICE", "The type of the hybrid document"),
                ("Version", "1.0", "The version of the standard of the embedded XML document"),
                ("ConformanceLevel", "EN 16931", "The profile of the embedded XML document"),
            ],
        },
    })
}

/// Writes the XML.
pub(super) fn write(document: &Document) -> Result<Vec<u8>, PaperError> {
    let written = || -> io::Result<Vec<u8>> {
        let (mut xml, words) = (Xml::document()?, words::of(document.language));
        xml.element("rsm:CrossIndustryInvoice", &NAMESPACES, |xml| {
            context(xml, document)?;
            header(xml, document)?;
            xml.element("rsm:SupplyChainTradeTransaction", &[], |xml| {
                for (place, item) in document.lines.iter().enumerate() {
                    line::write(xml, place + 1, item, words.discount)?;
                }
                party::agreement(xml, document)?;
                delivery(xml, document)?;
                settlement::write(xml, document)
            })
        })?;
        Ok(xml.finish())
    };
    written().map_err(|error| PaperError::Xml(error.to_string()))
}

/// Whether the buyer is a company: then the rules of French e-invoicing hold too.
fn to_company(document: &Document) -> bool {
    document.buyer.siren.is_some()
}

fn context(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.element("rsm:ExchangedDocumentContext", &[], |xml| {
        if to_company(document) {
            xml.element("ram:BusinessProcessSpecifiedDocumentContextParameter", &[], |xml| {
                xml.text("ram:ID", process(document))
            })?;
        }
        xml.element("ram:GuidelineSpecifiedDocumentContextParameter", &[], |xml| xml.text("ram:ID", PROFILE))
    })
}

/// What is invoiced and whether it is paid (BT-23): services, of which health care is one.
fn process(document: &Document) -> &'static str {
    let totals = &document.totals;
    if totals.due == Cents::ZERO && totals.paid == totals.gross { "S2" } else { "S1" }
}

fn header(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.element("rsm:ExchangedDocument", &[], |xml| {
        xml.text("ram:ID", &document.number)?;
        let code = if document.kind == DocumentKind::CreditNote { "381" } else { "380" };
        xml.text("ram:TypeCode", code)?;
        date(xml, "ram:IssueDateTime", document.issued_on)?;
        if to_company(document) {
            let words = words::of(document.language);
            let penalty = document.terms.late_penalty.as_deref().unwrap_or(words.late_penalty);
            note(xml, "PMT", words.indemnity)?;
            note(xml, "PMD", penalty)?;
            note(xml, "AAB", words.no_early_discount)?;
            note(xml, "BAR", "B2B")?;
        }
        Ok(())
    })
}

/// A text and what it is about (BG-1, UNTDID 4451).
fn note(xml: &mut Xml, subject: &str, text: &str) -> io::Result<()> {
    xml.element("ram:IncludedNote", &[], |xml| {
        xml.text("ram:Content", text)?;
        xml.text("ram:SubjectCode", subject)
    })
}

/// The day of the supply (BT-72): its last one where it took several, which the period tells.
fn delivery(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.element("ram:ApplicableHeaderTradeDelivery", &[], |xml| {
        xml.element("ram:ActualDeliverySupplyChainEvent", &[], |xml| {
            date(xml, "ram:OccurrenceDateTime", document.supplied.1)
        })
    })
}

fn date(xml: &mut Xml, name: &str, day: NaiveDate) -> io::Result<()> {
    xml.element(name, &[], |xml| {
        xml.text_with("udt:DateTimeString", &[("format", "102")], &day.format("%Y%m%d").to_string())
    })
}

/// The category of VAT (UNTDID 5305).
fn category(vat: Vat) -> &'static str {
    match vat.category {
        VatCategory::Standard => "S",
        VatCategory::Care | VatCategory::Franchise => "E",
    }
}

/// A text that has a letter; the standard has no empty ones.
fn present(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}
