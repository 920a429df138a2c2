//! The one HTML frame of all mails: a single column that fits 320 px, styled in place as mail programs want it,
//! with no image, no script and nothing loaded from elsewhere. Colours are left to the reader's program, dark or light.

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
                meta name="supported-color-schemes" content="light dark";
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
    lines(&[html! { (unbroken(words)) }])
}

/// A paragraph that keeps its lines.
pub(super) fn lines(lines: &[Markup]) -> Markup {
    html! { p style=(PARAGRAPH) { (broken(lines)) } }
}

/// What the reader must not miss, line by line; the first line is the strongest.
pub(super) fn card(lines: &[Markup]) -> Markup {
    let Some((first, others)) = lines.split_first() else { return html! {} };
    html! {
        p style="margin:0 0 16px;padding:12px 16px;border-left:4px solid #2a7f8e" {
            strong style="font-size:18px" { (first) }
            @if !others.is_empty() { br; (broken(others)) }
        }
    }
}

fn broken(lines: &[Markup]) -> Markup {
    html! {
        @for (place, line) in lines.iter().enumerate() {
            @if place > 0 { br; }
            (line)
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

/// The last line, set apart: a link that few want.
pub(super) fn footer(words: &str, link: &str) -> Markup {
    html! {
        p style="margin:24px 0 0;padding-top:16px;border-top:1px solid #808080;font-size:14px" {
            a href=(link) { (words) }
        }
    }
}

/// A line of plain words in which each of these texts leads somewhere.
pub(super) fn linked(line: &str, links: &[(String, String)]) -> Markup {
    let line = unbroken(line);
    let mut rest = line.as_str();
    let mut parts = Vec::new();
    let next = |rest: &str| {
        let found = links.iter().filter_map(|(text, href)| Some((rest.find(text.as_str())?, text, href)));
        found.min_by_key(|(place, ..)| *place).map(|(place, text, href)| (place, text.len(), href))
    };
    while let Some((place, length, href)) = next(rest) {
        let (before, after) = rest.split_at(place);
        let (text, after) = after.split_at(length);
        // A number that a line end cut in two would be read as two.
        let whole = if href.starts_with("tel:") { "white-space:nowrap" } else { "" };
        parts.push(html! { (before) a href=(href) style=[(!whole.is_empty()).then_some(whole)] { (text) } });
        rest = after;
    }
    html! { @for part in &parts { (part) } (rest) }
}

/// Keeps together what is parted by a space and a line end must not part: « ici », 14 h 30, 2:30 pm, and what French has
/// before a colon or a question mark.
pub fn unbroken(line: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    let at = |place: Option<usize>| place.and_then(|place| letters.get(place)).copied().unwrap_or(' ');
    let kept = |place: usize| {
        let (before, after) = (at(place.checked_sub(1)), at(Some(place + 1)));
        let hour = |before: char, h: char, after: char| {
            before.is_ascii_digit() && h == 'h' && (after.is_whitespace() || after.is_ascii_punctuation())
        };
        let meridiem = matches!(after, 'a' | 'p')
            && at(Some(place + 2)) == 'm'
            && !at(Some(place + 3)).is_alphanumeric();
        matches!(after, ':' | ';' | '!' | '?' | '»')
            || (before.is_ascii_digit() && meridiem)
            || before == '«'
            || hour(before, after, at(Some(place + 2)))
            || (hour(at(place.checked_sub(3)), before, ' ') && after.is_ascii_digit())
    };
    let spaced = letters.iter().enumerate();
    spaced.map(|(place, letter)| if *letter == ' ' && kept(place) { '\u{a0}' } else { *letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_begins_with_a_colon_or_cuts_an_hour() {
        for (line, kept) in [
            ("Rendez-vous : mardi 3 mars à 14 h 30", "Rendez-vous_: mardi 3 mars à 14_h_30"),
            ("à 9 h, ou à 10 h ?", "à 9_h, ou à 10_h_?"),
            ("« Bonjour ! » 4 hommes, le h 5", "«_Bonjour_!_» 4 hommes, le h 5"),
            ("at 2:30 pm: 01 23 45", "at 2:30_pm: 01 23 45"),
            ("9:00 am, 3 pmx, 4 amis", "9:00_am, 3 pmx, 4 amis"),
            (" :", "_:"),
            ("", ""),
        ] {
            assert_eq!(unbroken(line).replace('\u{a0}', "_"), kept);
        }
    }
}
