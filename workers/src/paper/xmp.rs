//! The metadata of a PDF/A: XMP, with the description of properties that PDF/A does not know.

use std::io;

use super::archive::{Archive, Extension};
use crate::xml::Xml;

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const NAMESPACES: [(&str, &str); 7] = [
    ("xmlns:rdf", RDF),
    ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
    ("xmlns:pdf", "http://ns.adobe.com/pdf/1.3/"),
    ("xmlns:xmp", "http://ns.adobe.com/xap/1.0/"),
    ("xmlns:pdfaid", "http://www.aiim.org/pdfa/ns/id/"),
    ("xmlns:pdfaExtension", "http://www.aiim.org/pdfa/ns/extension/"),
    ("xmlns:pdfaSchema", "http://www.aiim.org/pdfa/ns/schema#"),
];
const PROPERTY: (&str, &str) = ("xmlns:pdfaProperty", "http://www.aiim.org/pdfa/ns/property#");
const RESOURCE: [(&str, &str); 1] = [("rdf:parseType", "Resource")];

/// The packet that a PDF carries.
pub(super) fn packet(archive: &Archive) -> io::Result<Vec<u8>> {
    let mut xml = Xml::fragment();
    xml.instruction("xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"")?;
    xml.element("x:xmpmeta", &[("xmlns:x", "adobe:ns:meta/")], |xml| {
        let mut names = NAMESPACES.to_vec();
        names.push(PROPERTY);
        xml.element("rdf:RDF", &names, |xml| {
            described(xml, &[], |xml| own(xml, archive))?;
            archive.attachment.iter().try_for_each(|attachment| extension(xml, &attachment.extension))
        })
    })?;
    xml.instruction("xpacket end=\"r\"")?;
    Ok(xml.finish())
}

fn described(
    xml: &mut Xml,
    names: &[(&str, &str)],
    content: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    let mut attributes = vec![("rdf:about", "")];
    attributes.extend(names);
    xml.element("rdf:Description", &attributes, content)
}

fn own(xml: &mut Xml, archive: &Archive) -> io::Result<()> {
    xml.text("pdfaid:part", "3")?;
    xml.text("pdfaid:conformance", "B")?;
    xml.element("dc:title", &[], |xml| {
        xml.element("rdf:Alt", &[], |xml| {
            xml.text_with("rdf:li", &[("xml:lang", "x-default")], &archive.title)
        })
    })?;
    xml.element("dc:creator", &[], |xml| {
        xml.element("rdf:Seq", &[], |xml| xml.text("rdf:li", &archive.author))
    })?;
    xml.element("dc:language", &[], |xml| {
        xml.element("rdf:Bag", &[], |xml| xml.text("rdf:li", archive.language))
    })?;
    let day = archive.day.format("%Y-%m-%dT00:00:00+00:00").to_string();
    xml.text("xmp:CreateDate", &day)?;
    xml.text("xmp:ModifyDate", &day)?;
    xml.text("pdf:Producer", super::archive::PRODUCER)
}

/// The properties that say what the attachment is, and what these properties are (ISO 19005-3, 6.6.2.3.3).
fn extension(xml: &mut Xml, extension: &Extension) -> io::Result<()> {
    let prefix = format!("xmlns:{}", extension.prefix);
    described(xml, &[(&prefix, extension.namespace)], |xml| {
        extension
            .properties
            .iter()
            .try_for_each(|(name, value, _)| xml.text(&format!("{}:{name}", extension.prefix), value))
    })?;
    described(xml, &[], |xml| {
        xml.element("pdfaExtension:schemas", &[], |xml| {
            xml.element("rdf:Bag", &[], |xml| {
                xml.element("rdf:li", &RESOURCE, |xml| {
                    xml.text("pdfaSchema:schema", extension.title)?;
                    xml.text("pdfaSchema:namespaceURI", extension.namespace)?;
                    xml.text("pdfaSchema:prefix", extension.prefix)?;
                    xml.element("pdfaSchema:property", &[], |xml| {
                        xml.element("rdf:Seq", &[], |xml| properties(xml, extension))
                    })
                })
            })
        })
    })
}

fn properties(xml: &mut Xml, extension: &Extension) -> io::Result<()> {
    extension.properties.iter().try_for_each(|(name, _, description)| {
        xml.element("rdf:li", &RESOURCE, |xml| {
            xml.text("pdfaProperty:name", name)?;
            xml.text("pdfaProperty:valueType", "Text")?;
            xml.text("pdfaProperty:category", "external")?;
            xml.text("pdfaProperty:description", description)
        })
    })
}
