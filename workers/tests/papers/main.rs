//! Invoices, credit notes and quotes as their readers get them.

#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

mod container;
mod documents;
mod layout;
mod random;
mod template;
mod xml;

use permanence_domain::billing::Document;
use permanence_workers::billing;
use permanence_workers::paper::{Mark, Page};

fn pages(document: &Document) -> Vec<Page> {
    billing::pages(document, None).unwrap()
}

/// What stands on the pages, piece by piece, in the order in which it was drawn.
fn texts(pages: &[Page]) -> Vec<String> {
    let text = |mark: &Mark| match mark {
        Mark::Text { text, .. } => Some(text.replace('\u{a0}', " ")),
        Mark::Fill(..) | Mark::Picture(..) => None,
    };
    pages.iter().flat_map(|page| &page.marks).filter_map(text).collect()
}

/// The same in one piece.
fn printed(document: &Document) -> String {
    texts(&pages(document)).join(" ")
}
