//! The jobs of billing, and what an invoice, a credit note and a quote look like, with the Factur-X XML that the first two
//! carry. What draws reads and keeps nothing: a [`Document`] goes in, bytes come out, the same for the same.

mod facturx;
mod find_overdue;
mod format;
mod invoice_appointment;
mod preview;
mod render_invoice_pdf;
mod send_invoice_mail;
mod sheet;
mod words;

use std::sync::Arc;

use permanence_domain::billing::{Document, DocumentKind};

use crate::paper::{Archive, Attachment, Page, PaperError, Picture, one_line};

pub(crate) use format::date;

/// Draws a document as PDF/A-3b: an invoice or a credit note is a Factur-X of the profile EN 16931, a quote carries no
/// XML. Takes milliseconds of a processor: call it where that does not keep others waiting.
pub fn render(document: &Document, logo: Option<&[u8]>) -> Result<Vec<u8>, PaperError> {
    let attachment = match document.kind {
        DocumentKind::Invoice | DocumentKind::CreditNote => Some(facturx::attachment(document)?),
        DocumentKind::Quote => None,
    };
    archive(document, logo, attachment)
}

/// Draws a document of any kind without XML, so that no software takes it for one that counts.
pub(crate) fn specimen(document: &Document, logo: Option<&[u8]>) -> Result<Vec<u8>, PaperError> {
    archive(document, logo, None)
}

fn archive(
    document: &Document,
    logo: Option<&[u8]>,
    attachment: Option<Attachment>,
) -> Result<Vec<u8>, PaperError> {
    let pages = pages(document, logo)?;
    let words = words::of(document.language);
    let archive = Archive {
        title: one_line(&format!("{} {}", words.kind(document.kind), document.number)),
        author: one_line(&document.seller.legal_name),
        language: document.language.tag(),
        day: document.issued_on,
        attachment,
    };
    archive.write(&pages)
}

/// The pages of a document before they become PDF.
pub fn pages(document: &Document, logo: Option<&[u8]>) -> Result<Vec<Page>, PaperError> {
    let logo = logo.map(Picture::read).transpose()?.map(Arc::new);
    Ok(sheet::Sheet::new(document, logo)?.pages())
}

/// The XML of an invoice or a credit note: CII D22B, profile EN 16931.
pub fn xml(document: &Document) -> Result<Vec<u8>, PaperError> {
    facturx::write(document)
}
