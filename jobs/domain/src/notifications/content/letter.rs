//! A mail's words, as plain text and as HTML. Paragraphs are kept apart by blank lines; lines that begin with `>` are
//! set off; a paragraph that is the link and nothing else becomes a button. Nothing else of a text means anything.

use maud::{Markup, html};

use super::{AppointmentFacts, EmailContent, Language, layout, one_line};
use crate::notifications::Purpose;

/// A paragraph.
enum Block<'a> {
    Lines(Vec<&'a str>),
    Card(Vec<&'a str>),
    Button(&'a str),
}

/// Writes the two forms of a mail whose placeholders are filled.
pub(super) fn letter(
    subject: &str,
    body: &str,
    purpose: Purpose,
    language: Language,
    facts: &AppointmentFacts,
) -> EmailContent {
    let subject = one_line(subject);
    let manage_url = facts.manage_url.as_deref().map(one_line);
    let blocks = blocks(body, manage_url.as_deref());
    let button = button(purpose, language);
    let stop = facts.unsubscribe_url.as_deref().map(|url| (stop(language), url));
    let colon = match language {
        Language::Fr => " :",
        Language::En => ":",
    };
    let mut text: Vec<String> = blocks
        .iter()
        .map(|block| match block {
            Block::Lines(lines) | Block::Card(lines) => lines.join("\n"),
            Block::Button(url) => format!("{button}{colon}\n{url}"),
        })
        .collect();
    text.extend(stop.map(|(words, url)| format!("{words}{colon}\n{url}")));

    let reachable = reachable(facts, manage_url.as_deref());
    let with_links = |lines: &[&str]| -> Vec<Markup> {
        lines.iter().map(|line| layout::linked(line, &reachable)).collect()
    };
    let page = html! {
        @for block in &blocks {
            @match block {
                Block::Lines(lines) => (layout::lines(&with_links(lines))),
                Block::Card(lines) => (layout::card(&with_links(lines))),
                Block::Button(url) => (layout::button(button, url)),
            }
        }
        @if let Some((words, url)) = stop { (layout::footer(words, url)) }
    };
    let html = layout::page(language, &subject, &page);
    EmailContent { subject, text: text.join("\n\n") + "\n", html }
}

fn blocks<'a>(body: &'a str, manage_url: Option<&str>) -> Vec<Block<'a>> {
    let lines: Vec<&str> = body.lines().map(str::trim).collect();
    lines
        .split(|line| line.is_empty())
        .filter(|paragraph| !paragraph.is_empty())
        .map(|paragraph| match paragraph {
            [url] if Some(*url) == manage_url => Block::Button(url),
            lines if lines.iter().all(|line| line.starts_with('>')) => {
                Block::Card(lines.iter().map(|line| line.trim_start_matches('>').trim_start()).collect())
            }
            lines => Block::Lines(lines.to_vec()),
        })
        .collect()
}

/// What leads somewhere wherever it is written.
fn reachable(facts: &AppointmentFacts, manage_url: Option<&str>) -> Vec<(String, String)> {
    let phone = facts.practice_phone.as_deref().map(one_line).and_then(|phone| {
        let dialled: String = phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        (dialled.len() > 2).then(|| (phone, format!("tel:{dialled}")))
    });
    let url = manage_url.filter(|url| !url.is_empty()).map(|url| (url.to_owned(), url.to_owned()));
    phone.into_iter().chain(url).collect()
}

fn button(purpose: Purpose, language: Language) -> &'static str {
    match (language, purpose) {
        (Language::Fr, Purpose::Reminder) => "Confirmer ou annuler",
        (Language::Fr, _) => "Gérer mon rendez-vous",
        (Language::En, Purpose::Reminder) => "Confirm or cancel",
        (Language::En, _) => "Manage my appointment",
    }
}

fn stop(language: Language) -> &'static str {
    match language {
        Language::Fr => "Ne plus recevoir ces messages",
        Language::En => "Stop these messages",
    }
}
