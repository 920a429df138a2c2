use permanence_domain::billing::{Allowance, Cents};
use permanence_workers::billing;
use permanence_workers::paper::{Mark, Page, mm};
use proptest::prelude::*;

use crate::{documents, pages, random, texts};

/// Left, top, right and bottom of what a mark covers; letters from their capitals down to a little below the baseline.
fn covers(mark: &Mark) -> [f32; 4] {
    match mark {
        Mark::Text { x, y, width, style, .. } => {
            [*x, y - 0.66 * style.size, x + width, y + 0.15 * style.size]
        }
        Mark::Fill(area, _) | Mark::Picture(area, _) => {
            [area.x, area.y, area.x + area.width, area.y + area.height]
        }
    }
}

fn stands_within_the_page(pages: &[Page]) {
    for mark in pages.iter().flat_map(|page| &page.marks) {
        let [left, top, right, bottom] = covers(mark);
        let within = left >= mm(19.9) && right <= mm(190.1) && top >= mm(10.0) && bottom <= mm(290.0);
        assert!(within, "{:?} of {mark:?}", covers(mark));
    }
}

fn no_letters_overlap(pages: &[Page]) {
    for page in pages {
        let written: Vec<&Mark> =
            page.marks.iter().filter(|mark| matches!(mark, Mark::Text { .. })).collect();
        for (place, one) in written.iter().enumerate() {
            let [left, top, right, bottom] = covers(one);
            for other in &written[place + 1..] {
                let [x, y, end, foot] = covers(other);
                let apart =
                    end <= left + 0.05 || right <= x + 0.05 || foot <= top + 0.05 || bottom <= y + 0.05;
                assert!(apart, "{one:?}\n{other:?}");
            }
        }
    }
}

/// Letters that every typeface has: what is left when blanks, boxes for missing letters and accents are taken out.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_document_keeps_to_its_pages_and_shows_every_line(seed in any::<u64>()) {
        let document = random::document(seed);
        let pages = pages(&document);
        stands_within_the_page(&pages);
        no_letters_overlap(&pages);
        let written = letters(&texts(&pages).concat());
        let mut rest = written.as_str();
        for line in &document.lines {
            let name = letters(&permanence_workers::paper::one_line(&line.name));
            let found = rest.find(&name);
            prop_assert!(found.is_some(), "{} is not there, or not in its place", line.name);
            rest = &rest[found.unwrap() + name.len()..];
        }
    }
}

#[test]
fn the_named_ones_keep_to_their_pages() {
    for (name, document) in documents::named() {
        let pages = pages(&document);
        assert!(!pages.is_empty(), "{name}");
        stands_within_the_page(&pages);
        no_letters_overlap(&pages);
    }
}

#[test]
fn a_table_repeats_its_head_and_pages_count() {
    let pages = pages(&documents::long());
    assert!(pages.len() > 2);
    for (place, page) in pages.iter().enumerate() {
        let texts = texts(std::slice::from_ref(page));
        assert!(texts.iter().any(|text| text == "Désignation"), "page {}", place + 1);
        let foot = format!("page {}/{}", place + 1, pages.len());
        assert!(texts.contains(&foot), "{foot}");
    }
}

#[test]
fn a_name_of_any_length_stands_on_the_first_pages() {
    let mut document = documents::short();
    document.buyer.name = "Wolfeschlegel".repeat(400);
    document.seller.legal_name = "x ".repeat(2_000);
    let pages = pages(&document);
    stands_within_the_page(&pages);
    no_letters_overlap(&pages);
    assert!(texts(&pages).iter().any(|text| text == "Net à payer"));
    let buyer = texts(&pages).concat().matches("olfeschlege").count();
    assert!(buyer > 300, "{buyer}");
}

#[test]
fn the_totals_stay_on_one_page_whatever_the_discounts_are_called() {
    let mut document = documents::company();
    document.lines[0].net = Cents(999_999_999_999);
    let allowances = (0..8).flat_map(|_| document.allowances.clone());
    document.allowances =
        allowances.map(|less| Allowance { reason: "Remise exceptionnelle ".repeat(25), ..less }).collect();
    documents::total(&mut document, 10);
    let pages = pages(&document);
    stands_within_the_page(&pages);
    no_letters_overlap(&pages);
}

#[test]
fn the_address_stands_in_the_window_of_an_envelope() {
    let pages = billing::pages(&documents::company(), Some(include_bytes!("logo.png"))).unwrap();
    let in_window = |mark: &&Mark| {
        let [left, top, right, bottom] = covers(mark);
        left < mm(190.0) && right > mm(100.0) && top < mm(85.0) && bottom > mm(45.0)
    };
    let seen: Vec<&Mark> = pages[0].marks.iter().filter(in_window).collect();
    assert_eq!(seen.len(), 4, "the address and nothing else: {seen:?}");
}
