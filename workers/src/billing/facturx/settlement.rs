//! What is to be paid, how, and the VAT in it (BG-16 to BG-23, BG-3).

use std::io;

use permanence_domain::billing::{Allowance, Cents, Document, DocumentKind, VatCategory, VatTotal};

use super::{CURRENCY, category, date, present};
use crate::billing::format::{xml_amount, xml_decimal};
use crate::billing::words;
use crate::xml::Xml;

/// The most that one VAT breakdown holds: several reasons share the category E.
struct Breakdown {
    category: &'static str,
    rate: u32,
    basis: Cents,
    tax: Cents,
    reasons: Vec<VatCategory>,
}

pub(super) fn write(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.element("ram:ApplicableHeaderTradeSettlement", &[], |xml| {
        xml.text("ram:PaymentReference", &document.number)?;
        xml.text("ram:InvoiceCurrencyCode", CURRENCY)?;
        means(xml, document)?;
        for breakdown in breakdowns(&document.vat) {
            tax(xml, document, &breakdown)?;
        }
        period(xml, document)?;
        for allowance in &document.allowances {
            discount(xml, allowance, words::of(document.language).discount)?;
        }
        terms(xml, document)?;
        totals(xml, document)?;
        preceding(xml, document)
    })
}

/// UNTDID 4461: 30 is a transfer, 1 leaves the means open.
fn means(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let iban = present(document.terms.iban.as_deref()).filter(|_| document.kind == DocumentKind::Invoice);
    xml.element("ram:SpecifiedTradeSettlementPaymentMeans", &[], |xml| {
        let Some(iban) = iban else { return xml.text("ram:TypeCode", "1") };
        xml.text("ram:TypeCode", "30")?;
        xml.element("ram:PayeePartyCreditorFinancialAccount", &[], |xml| {
            let iban: String = iban.chars().filter(|character| !character.is_whitespace()).collect();
            xml.text("ram:IBANID", &iban)
        })?;
        match present(document.terms.bic.as_deref()) {
            Some(bic) => xml.element("ram:PayeeSpecifiedCreditorFinancialInstitution", &[], |xml| {
                xml.text("ram:BICID", bic)
            }),
            None => Ok(()),
        }
    })
}

/// BR-E-01 has one breakdown for all that is exempt, whatever the reason.
fn breakdowns(totals: &[VatTotal]) -> Vec<Breakdown> {
    let mut breakdowns: Vec<Breakdown> = Vec::new();
    for total in totals {
        let (category, rate) = (category(total.vat), total.vat.rate);
        let known = breakdowns.iter_mut().find(|known| known.category == category && known.rate == rate);
        if let Some(known) = known {
            known.basis += total.basis;
            known.tax += total.tax;
            known.reasons.push(total.vat.category);
        } else {
            let reasons = vec![total.vat.category];
            breakdowns.push(Breakdown { category, rate, basis: total.basis, tax: total.tax, reasons });
        }
    }
    breakdowns
}

fn tax(xml: &mut Xml, document: &Document, breakdown: &Breakdown) -> io::Result<()> {
    let words = words::of(document.language);
    let reasons: Vec<&str> = breakdown.reasons.iter().filter_map(|reason| words.exemption(*reason)).collect();
    xml.element("ram:ApplicableTradeTax", &[], |xml| {
        xml.text("ram:CalculatedAmount", &xml_amount(breakdown.tax))?;
        xml.text("ram:TypeCode", "VAT")?;
        if !reasons.is_empty() {
            xml.text("ram:ExemptionReason", &reasons.join(" ; "))?;
        }
        xml.text("ram:BasisAmount", &xml_amount(breakdown.basis))?;
        xml.text("ram:CategoryCode", breakdown.category)?;
        // A code says one reason alone.
        if let [reason] = breakdown.reasons.as_slice() {
            match reason {
                VatCategory::Standard => {}
                VatCategory::Care => xml.text("ram:ExemptionReasonCode", "VATEX-FR-CGI261-4")?,
                VatCategory::Franchise => xml.text("ram:ExemptionReasonCode", "VATEX-FR-FRANCHISE")?,
            }
        }
        xml.text("ram:RateApplicablePercent", &xml_decimal(i64::from(breakdown.rate), 2))
    })
}

fn period(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let (first, last) = document.supplied;
    if first == last {
        return Ok(());
    }
    xml.element("ram:BillingSpecifiedPeriod", &[], |xml| {
        date(xml, "ram:StartDateTime", first)?;
        date(xml, "ram:EndDateTime", last)
    })
}

fn discount(xml: &mut Xml, allowance: &Allowance, reason: &str) -> io::Result<()> {
    xml.element("ram:SpecifiedTradeAllowanceCharge", &[], |xml| {
        xml.element("ram:ChargeIndicator", &[], |xml| xml.text("udt:Indicator", "false"))?;
        xml.text("ram:ActualAmount", &xml_amount(allowance.amount))?;
        xml.text("ram:Reason", present(Some(&allowance.reason)).unwrap_or(reason))?;
        xml.element("ram:CategoryTradeTax", &[], |xml| {
            xml.text("ram:TypeCode", "VAT")?;
            xml.text("ram:CategoryCode", category(allowance.vat))?;
            xml.text("ram:RateApplicablePercent", &xml_decimal(i64::from(allowance.vat.rate), 2))
        })
    })
}

fn terms(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.element("ram:SpecifiedTradePaymentTerms", &[], |xml| {
        if let Some(words) = present(Some(&document.terms.words)) {
            xml.text("ram:Description", words)?;
        }
        date(xml, "ram:DueDateDateTime", document.due_on)
    })
}

fn totals(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let totals = &document.totals;
    xml.element("ram:SpecifiedTradeSettlementHeaderMonetarySummation", &[], |xml| {
        xml.text("ram:LineTotalAmount", &xml_amount(totals.lines))?;
        xml.text("ram:AllowanceTotalAmount", &xml_amount(totals.allowances))?;
        xml.text("ram:TaxBasisTotalAmount", &xml_amount(totals.net))?;
        xml.text_with("ram:TaxTotalAmount", &[("currencyID", CURRENCY)], &xml_amount(totals.vat))?;
        xml.text("ram:GrandTotalAmount", &xml_amount(totals.gross))?;
        xml.text("ram:TotalPrepaidAmount", &xml_amount(totals.paid))?;
        xml.text("ram:DuePayableAmount", &xml_amount(totals.due))
    })
}

fn preceding(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let Some(credited) = &document.credits else { return Ok(()) };
    xml.element("ram:InvoiceReferencedDocument", &[], |xml| {
        xml.text("ram:IssuerAssignedID", &credited.number)?;
        xml.element("ram:FormattedIssueDateTime", &[], |xml| {
            let day = credited.issued_on.format("%Y%m%d").to_string();
            xml.text_with("qdt:DateTimeString", &[("format", "102")], &day)
        })
    })
}
