//! Who sells and who buys (BG-4, BG-7), and what they agreed on.

use std::io;

use permanence_domain::billing::{Address, Buyer, Document, Seller};

use super::{present, to_company};
use crate::xml::Xml;

/// ISO 6523: SIREN.
const SIREN: &str = "0002";
/// ISO 6523: SIRET.
const SIRET: &str = "0009";
/// The directory of French e-invoicing, whose addresses begin with a SIREN.
const DIRECTORY: &str = "0225";

pub(super) fn agreement(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.element("ram:ApplicableHeaderTradeAgreement", &[], |xml| {
        xml.element("ram:SellerTradeParty", &[], |xml| seller(xml, &document.seller, to_company(document)))?;
        let country = &document.seller.address.country;
        xml.element("ram:BuyerTradeParty", &[], |xml| buyer(xml, &document.buyer, country))?;
        match present(document.buyer_reference.as_deref()) {
            Some(reference) => xml.element("ram:BuyerOrderReferencedDocument", &[], |xml| {
                xml.text("ram:IssuerAssignedID", reference)
            }),
            None => Ok(()),
        }
    })
}

fn seller(xml: &mut Xml, seller: &Seller, to_company: bool) -> io::Result<()> {
    let siren = seller.siret.get(..9).unwrap_or(&seller.siret);
    xml.text_with("ram:GlobalID", &[("schemeID", SIRET)], &seller.siret)?;
    xml.text("ram:Name", &seller.legal_name)?;
    if let Some(form) = present(seller.legal_form.as_deref()) {
        xml.text("ram:Description", form)?;
    }
    xml.element("ram:SpecifiedLegalOrganization", &[], |xml| {
        xml.text_with("ram:ID", &[("schemeID", SIREN)], siren)?;
        present(seller.trading_name.as_deref())
            .map_or(Ok(()), |name| xml.text("ram:TradingBusinessName", name))
    })?;
    contact(xml, seller)?;
    xml.element("ram:PostalTradeAddress", &[], |xml| address(xml, &seller.address))?;
    if to_company {
        electronic(xml, DIRECTORY, siren)?;
    }
    // BR-E-02: who exempts names himself to the tax office, by SIREN where there is no VAT identifier.
    match present(seller.vat_id.as_deref()) {
        Some(number) => registration(xml, "VA", number),
        None => registration(xml, "FC", siren),
    }
}

fn contact(xml: &mut Xml, seller: &Seller) -> io::Result<()> {
    let (person, phone, email) = (
        present(seller.practitioner.as_deref()),
        present(seller.phone.as_deref()),
        present(seller.email.as_deref()),
    );
    if person.is_none() && phone.is_none() && email.is_none() {
        return Ok(());
    }
    xml.element("ram:DefinedTradeContact", &[], |xml| {
        person.map_or(Ok(()), |name| xml.text("ram:PersonName", name))?;
        phone.map_or(Ok(()), |number| {
            xml.element("ram:TelephoneUniversalCommunication", &[], |xml| {
                xml.text("ram:CompleteNumber", number)
            })
        })?;
        email.map_or(Ok(()), |address| {
            xml.element("ram:EmailURIUniversalCommunication", &[], |xml| xml.text("ram:URIID", address))
        })
    })
}

fn buyer(xml: &mut Xml, buyer: &Buyer, seller_country: &str) -> io::Result<()> {
    xml.text("ram:Name", &buyer.name)?;
    if let Some(siren) = &buyer.siren {
        xml.element("ram:SpecifiedLegalOrganization", &[], |xml| {
            xml.text_with("ram:ID", &[("schemeID", SIREN)], siren)
        })?;
    }
    xml.element("ram:PostalTradeAddress", &[], |xml| match &buyer.address {
        Some(place) => address(xml, place),
        // BR-11 wants a country; who gave no address is taken to live where he came for care.
        None => xml.text("ram:CountryID", seller_country),
    })?;
    match (&buyer.siren, present(buyer.email.as_deref())) {
        (Some(siren), _) => electronic(xml, DIRECTORY, siren)?,
        (None, Some(email)) => electronic(xml, "EM", email)?,
        (None, None) => {}
    }
    present(buyer.vat_id.as_deref()).map_or(Ok(()), |number| registration(xml, "VA", number))
}

fn address(xml: &mut Xml, address: &Address) -> io::Result<()> {
    let mut text = |name: &str, text: &str| present(Some(text)).map_or(Ok(()), |text| xml.text(name, text));
    text("ram:PostcodeCode", &address.postcode)?;
    text("ram:LineOne", &address.line)?;
    text("ram:LineTwo", address.complement.as_deref().unwrap_or_default())?;
    text("ram:CityName", &address.city)?;
    text("ram:CountryID", &address.country)
}

/// Where invoices are received (BT-34, BT-49).
fn electronic(xml: &mut Xml, scheme: &str, address: &str) -> io::Result<()> {
    xml.element("ram:URIUniversalCommunication", &[], |xml| {
        xml.text_with("ram:URIID", &[("schemeID", scheme)], address)
    })
}

fn registration(xml: &mut Xml, scheme: &str, number: &str) -> io::Result<()> {
    xml.element("ram:SpecifiedTaxRegistration", &[], |xml| {
        xml.text_with("ram:ID", &[("schemeID", scheme)], number)
    })
}
