//! One line of an invoice (BG-25).

use std::io;

use permanence_domain::billing::{Cents, Line};

use super::{category, present};
use crate::billing::format::{xml_amount, xml_decimal};
use crate::xml::Xml;

pub(super) fn write(xml: &mut Xml, place: usize, line: &Line, discount: &str) -> io::Result<()> {
    xml.element("ram:IncludedSupplyChainTradeLineItem", &[], |xml| {
        xml.element("ram:AssociatedDocumentLineDocument", &[], |xml| {
            xml.text("ram:LineID", &place.to_string())
        })?;
        xml.element("ram:SpecifiedTradeProduct", &[], |xml| {
            xml.text("ram:Name", &line.name)?;
            present(line.description.as_deref()).map_or(Ok(()), |text| xml.text("ram:Description", text))
        })?;
        xml.element("ram:SpecifiedLineTradeAgreement", &[], |xml| {
            xml.element("ram:NetPriceProductTradePrice", &[], |xml| {
                xml.text("ram:ChargeAmount", &xml_amount(line.unit_price))
            })
        })?;
        xml.element("ram:SpecifiedLineTradeDelivery", &[], |xml| {
            xml.text_with("ram:BilledQuantity", &[("unitCode", &line.unit)], &xml_decimal(line.quantity.0, 3))
        })?;
        settlement(xml, line, discount)
    })
}

fn settlement(xml: &mut Xml, line: &Line, reason: &str) -> io::Result<()> {
    xml.element("ram:SpecifiedLineTradeSettlement", &[], |xml| {
        xml.element("ram:ApplicableTradeTax", &[], |xml| {
            xml.text("ram:TypeCode", "VAT")?;
            xml.text("ram:CategoryCode", category(line.vat))?;
            xml.text("ram:RateApplicablePercent", &xml_decimal(i64::from(line.vat.rate), 2))
        })?;
        if line.discount != Cents::ZERO {
            discount(xml, line.discount, reason)?;
        }
        xml.element("ram:SpecifiedTradeSettlementLineMonetarySummation", &[], |xml| {
            xml.text("ram:LineTotalAmount", &xml_amount(line.net))
        })
    })
}

/// What is taken off the line (BG-27), code 95 of UNTDID 5189: a discount.
fn discount(xml: &mut Xml, amount: Cents, reason: &str) -> io::Result<()> {
    xml.element("ram:SpecifiedTradeAllowanceCharge", &[], |xml| {
        xml.element("ram:ChargeIndicator", &[], |xml| xml.text("udt:Indicator", "false"))?;
        xml.text("ram:ActualAmount", &xml_amount(amount))?;
        xml.text("ram:ReasonCode", "95")?;
        xml.text("ram:Reason", reason)
    })
}
