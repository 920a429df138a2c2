//! The one HTML frame of all mails: a single column that fits 320 px, styled in place as mail programs want it,
//! with no image, no script and nothing loaded from elsewhere.

use maud::{DOCTYPE, Markup, html};

use super::Language;

const PARAGRAPH: &str = "margin:0 0 16px";

/// Puts the paragraphs of a mail into the frame.
pub(super) fn page(language: Language, title: &str, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
            }
            body style="margin:0;padding:0" {
                div style="max-width:480px;margin:0 auto;padding:24px 16px;font:16px/1.5 sans-serif;\
                           overflow-wrap:anywhere" {
                    (content)
                }
            }
        }
    };
    page.into_string()
}

/// A paragraph of plain words.
pub(super) fn paragraph(words: &str) -> Markup {
    html! { p style=(PARAGRAPH) { (words) } }
}

/// What the reader must not miss, line by line; the first line is the strongest.
pub(super) fn card(first: &str, others: &[&str]) -> Markup {
    html! {
        p style="margin:0 0 16px;padding:12px 16px;border-left:4px solid #2a7f8e" {
            strong style="font-size:18px" { (first) }
            @for line in others { br; (line) }
        }
    }
}

/// A link to follow with a thumb, and its address for those who would rather copy it.
pub(super) fn button(words: &str, link: &str) -> Markup {
    html! {
        p style=(PARAGRAPH) {
            a href=(link) style="display:inline-block;padding:12px 20px;border-radius:6px;\
                                 background:#1f6673;color:#ffffff;text-decoration:none" { (words) }
        }
        p style="margin:0 0 16px;font-size:14px" { (link) }
    }
}

/// A sentence that ends in a number to call.
pub(super) fn call(words: &str, phone: &str) -> Markup {
    let dialled: String = phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    html! {
        p style=(PARAGRAPH) {
            (words) " "
            a href={ "tel:" (dialled) } style="white-space:nowrap" { (phone) }
            "."
        }
    }
}
