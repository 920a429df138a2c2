use lopdf::{Document as Pdf, Object};
use permanence_domain::billing::Document;
use permanence_workers::billing;
use permanence_workers::paper::PaperError;

use crate::documents;

const LOGO: &[u8] = include_bytes!("logo.png");

fn render(document: &Document) -> Vec<u8> {
    billing::render(document, Some(LOGO)).unwrap()
}

/// The attached file, through the catalogue's list of associated files.
fn attached(bytes: &[u8]) -> Option<Vec<u8>> {
    let pdf = Pdf::load_mem(bytes).unwrap();
    let catalog = pdf.catalog().unwrap();
    let specification = catalog.get(b"AF").ok()?.as_array().unwrap()[0].as_reference().unwrap();
    let specification = pdf.get_dictionary(specification).unwrap();
    assert_eq!(specification.get(b"AFRelationship").unwrap().as_name().unwrap(), b"Alternative");
    let file =
        specification.get(b"EF").unwrap().as_dict().unwrap().get(b"F").unwrap().as_reference().unwrap();
    Some(pdf.get_object(file).unwrap().as_stream().unwrap().decompressed_content().unwrap())
}

#[test]
fn the_same_document_is_the_same_file() {
    for (name, document) in documents::named() {
        let here = render(&document);
        let there = std::thread::scope(|scope| scope.spawn(|| render(&document)).join().unwrap());
        assert!(here == there, "{name}");
    }
}

#[test]
fn another_document_has_another_identifier() {
    let identifier = |document: &Document| match Pdf::load_mem(&render(document)).unwrap().trailer.get(b"ID")
    {
        Ok(Object::Array(parts)) => parts[0].as_str().unwrap().to_vec(),
        other => panic!("{other:?}"),
    };
    let (mut one, other) = (documents::short(), documents::short());
    assert_eq!(identifier(&one), identifier(&other));
    one.terms.words.push('.');
    assert_ne!(identifier(&one), identifier(&other));
}

#[test]
fn an_invoice_carries_its_xml_and_a_quote_carries_none() {
    for (name, document) in documents::named() {
        let wanted = (name != "quote").then(|| billing::xml(&document).unwrap());
        let carried = attached(&render(&document)).map(|xml| xml.trim_ascii_end().to_vec());
        assert_eq!(carried, wanted, "{name}");
    }
}

#[test]
fn two_pages_are_small() {
    let document = documents::company();
    let (pages, bytes) = (billing::pages(&document, None).unwrap(), render(&document));
    assert_eq!(pages.len(), 2);
    assert!(bytes.len() <= 60 << 10, "{} bytes", bytes.len());
}

#[test]
fn a_logo_that_cannot_be_read_is_told_and_not_left_out() {
    let refused = billing::render(&documents::short(), Some(b"GIF89a")).unwrap_err();
    assert!(matches!(refused, PaperError::Picture(_)), "{refused}");
}
