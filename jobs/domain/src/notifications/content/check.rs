//! Whether a practice's own words will do, told before they are kept: all that is wrong at once.
//! A template may name placeholders and ask with `if` whether one is known, and nothing else.

use super::{AppointmentFacts, Content, Language, PLACEHOLDERS, Template, render::own};
use crate::{
    error::{Invalid, Problem},
    notifications::{Channel, Purpose},
    placeholders::{self, Unfilled},
};

/// Parts of the longest SMS.
const SEGMENTS: usize = 6;
/// Letters of the longest subject and of the longest text.
const SUBJECT: usize = 200;
const BODY: usize = 5_000;

/// What is known in some cases only: each must be asked for with `if` before it is printed.
type Forget = fn(&mut AppointmentFacts);
const SOMETIMES: [(&str, Forget); 5] = [
    ("practice_phone", |facts| facts.practice_phone = None),
    ("practice_address", |facts| facts.practice_address = None),
    ("specialty", |facts| facts.specialty = None),
    ("reason", |facts| facts.reason = None),
    ("manage_url", |facts| facts.manage_url = None),
];

/// Writes a message in words that are to be kept, with sample facts, or says all that is wrong with them.
///
/// The sample tells what the practice discloses: a template that names a specialty or a reason is refused where the
/// sample has none. A number or an address that the practice does not have is unknown in every case.
pub fn check(
    template: &Template,
    purpose: Purpose,
    channel: Channel,
    language: Language,
    sample: &AppointmentFacts,
) -> Result<Content, Invalid> {
    let mut problems = of_channel(template, channel);
    if let Some(subject) = &template.subject {
        let single = !subject.contains(['\n', '\r']);
        if !single {
            problems.push(Problem::new("subject", "not_one_line", "a single line"));
        }
        of_source("subject", subject, SUBJECT, sample, &mut problems);
    }
    of_source("body", &template.body, BODY, sample, &mut problems);
    if !problems.is_empty() {
        return Err(Invalid(problems));
    }
    let written = |facts: &AppointmentFacts| own(template, purpose, channel, language, facts);
    for (name, forget) in SOMETIMES {
        let mut facts = full(sample);
        // What the practice has is known in every case.
        let always = matches!(name, "practice_phone" if sample.practice_phone.is_some())
            || matches!(name, "practice_address" if sample.practice_address.is_some());
        forget(&mut facts);
        if !always && matches!(written(&facts), Err(Unfilled::Template(_))) {
            problems.push(unguarded(template, name));
        }
    }
    if !problems.is_empty() {
        return Err(Invalid(problems));
    }
    let mut bare = sample.clone();
    (bare.specialty, bare.reason, bare.manage_url) = (None, None, None);
    if let Err(unfilled) = written(&bare) {
        return Err(Invalid(vec![refused(&unfilled)]));
    }
    let content = written(sample).map_err(|unfilled| Invalid(vec![refused(&unfilled)]))?;
    match &content {
        Content::Sms { size, .. } if size.segments > SEGMENTS => {
            let expected = format!("an SMS of at most {SEGMENTS} parts");
            let problem = Problem::new("body", "too_many_segments", expected).read(size.segments);
            Err(Invalid(vec![problem]))
        }
        _ => Ok(content),
    }
}

/// A subject belongs to mail, letters that cost to SMS.
fn of_channel(template: &Template, channel: Channel) -> Vec<Problem> {
    match channel {
        Channel::Sms => template
            .subject
            .iter()
            .map(|_| Problem::new("subject", "not_for_sms", "no subject: an SMS has none"))
            .collect(),
        Channel::Email => {
            let missing = template.subject.is_none().then(|| Problem::new("subject", "missing", "a value"));
            let needless = template
                .transliterate
                .then(|| Problem::new("transliterate", "not_for_email", "false: a mail has every letter"));
            missing.into_iter().chain(needless).collect()
        }
    }
}

fn of_source(
    field: &'static str,
    source: &str,
    longest: usize,
    sample: &AppointmentFacts,
    problems: &mut Vec<Problem>,
) {
    problems
        .extend(placeholders::check(field, source, longest, |name, line| of_name(field, line, name, sample)));
}

fn of_name(field: &'static str, line: usize, name: &str, sample: &AppointmentFacts) -> Option<Problem> {
    if !PLACEHOLDERS.contains(&name) {
        return Some(placeholders::unknown(field, name, line, &PLACEHOLDERS));
    }
    let disclosed = match name {
        "specialty" => sample.specialty.is_some(),
        "reason" => sample.reason.is_some(),
        _ => true,
    };
    let expected = format!("on line {line}: only what the settings disclose (disclose_{name})");
    (!disclosed).then(|| Problem::new(field, "not_disclosed", expected).read(name))
}

/// The sample with everything known.
fn full(sample: &AppointmentFacts) -> AppointmentFacts {
    let mut facts = sample.clone();
    for known in [
        &mut facts.practice_phone,
        &mut facts.practice_address,
        &mut facts.specialty,
        &mut facts.reason,
        &mut facts.manage_url,
    ] {
        known.get_or_insert_with(|| "x".to_owned());
    }
    facts
}

fn unguarded(template: &Template, name: &str) -> Problem {
    let of_subject = template.subject.as_deref().is_some_and(|subject| subject.contains(name));
    let field = if of_subject { "subject" } else { "body" };
    placeholders::unguarded(field, name)
}

fn refused(unfilled: &Unfilled) -> Problem {
    match unfilled {
        Unfilled::Empty => Problem::new(
            "body",
            "not_a_text",
            "words that remain when nothing but the time and names are known",
        ),
        Unfilled::Template(error) => {
            let line = error.line().unwrap_or(1);
            Problem::new("body", "template_syntax", format!("line {line}: {}", unfilled.reason()))
        }
    }
}
