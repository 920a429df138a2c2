//! The values of a message's placeholders. The language that they stand in is that of `placeholders`.

use minijinja::Value;

use super::{AppointmentFacts, Language, dates, one_line};
use crate::{
    notifications::Channel,
    placeholders::{self, Unfilled},
};

/// What a template may name. What is not known in a case is undefined: it may be asked for with `if`, not printed.
pub const PLACEHOLDERS: [&str; 11] = [
    "practice_name",
    "practice_phone",
    "practice_address",
    "patient_first_name",
    "date",
    "time",
    "weekday",
    "practitioner_name",
    "specialty",
    "reason",
    "manage_url",
];

/// What fills the placeholders.
pub(super) struct Values(Value);

impl Values {
    pub(super) fn of(facts: &AppointmentFacts, language: Language, channel: Channel) -> Self {
        let told = dates::told(facts.starts_at, facts.zone, language, channel);
        let known = |text: &Option<String>| text.as_deref().map(one_line).filter(|text| !text.is_empty());
        let pairs = [
            ("practice_name", Some(one_line(&facts.practice_name))),
            ("practice_phone", known(&facts.practice_phone)),
            ("practice_address", known(&facts.practice_address)),
            ("patient_first_name", Some(one_line(&facts.patient_first_name))),
            ("date", Some(told.date)),
            ("time", Some(told.time)),
            ("weekday", Some(told.weekday.to_owned())),
            ("practitioner_name", Some(one_line(&facts.practitioner_name))),
            ("specialty", known(&facts.specialty)),
            ("reason", known(&facts.reason)),
            ("manage_url", known(&facts.manage_url)),
        ];
        let known =
            pairs.into_iter().filter_map(|(name, value)| value.map(|value| (name, Value::from(value))));
        Self(Value::from_pairs(known))
    }
}

/// Fills a template.
pub(super) fn fill(source: &str, values: &Values) -> Result<String, Unfilled> {
    placeholders::fill(&links_are_optional(source), values.0.clone())
}

/// A line that is nothing but the link may always stand there: it becomes a button, and goes where there is no link.
fn links_are_optional(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let bare: String = line.split_whitespace().collect();
        if bare == "{{manage_url}}" { "{% if manage_url %}{{ manage_url }}{% endif %}" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
