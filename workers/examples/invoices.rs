//! Writes documents as PDF into a folder, for `workers/check-invoices` and for whoever wants to look at them:
//! `cargo run --example invoices -- FOLDER COUNT`. The named ones come first, then as many at random.

#[path = "../tests/papers/documents.rs"]
mod documents;
#[path = "../tests/papers/random.rs"]
mod random;

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: invoices FOLDER COUNT";
    let folder = PathBuf::from(arguments.next().ok_or(usage)?);
    let count: u64 = arguments.next().ok_or(usage)?.parse()?;
    std::fs::create_dir_all(&folder)?;
    let logo = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/papers/logo.png"))?;
    let named = documents::named().into_iter().map(|(name, document)| (name.to_owned(), document));
    let random = (0..count).map(|seed| (format!("random-{seed:05}"), random::document(seed)));
    for (place, (name, document)) in named.chain(random).enumerate() {
        let logo = (place % 2 == 0).then_some(logo.as_slice());
        std::fs::write(
            folder.join(name).with_extension("pdf"),
            permanence_workers::billing::render(&document, logo)?,
        )?;
    }
    Ok(())
}
