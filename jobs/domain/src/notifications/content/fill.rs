//! Filling the placeholders of a template. Nothing of a value is read as a template, and nothing is computed that was
//! not foreseen: no loop, no include, no function, and a limit to the steps.

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::{AppointmentFacts, Language, dates, one_line};
use crate::notifications::Channel;

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

/// Steps of one template: many times what the longest can need.
const FUEL: u64 = 50_000;

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

/// Why a template gave no words.
#[derive(Debug)]
pub(super) enum Unfilled {
    /// It does not read, or prints what is not known.
    Template(minijinja::Error),
    /// Nothing is left of it.
    Empty,
}

impl Unfilled {
    /// The stable word for it: never a value.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Template(error) => match error.kind() {
                ErrorKind::UndefinedError => "unknown_value",
                ErrorKind::OutOfFuel => "too_long",
                ErrorKind::SyntaxError => "syntax",
                _ => "other",
            },
        }
    }
}

impl From<minijinja::Error> for Unfilled {
    fn from(error: minijinja::Error) -> Self {
        Self::Template(error)
    }
}

/// Reads a template without filling it.
pub(super) fn read(source: &str) -> Result<(), minijinja::Error> {
    environment().template_from_str(&links_are_optional(source)).map(drop)
}

/// Fills a template.
pub(super) fn fill(source: &str, values: &Values) -> Result<String, Unfilled> {
    let source = links_are_optional(source);
    let environment = environment();
    let filled = environment.template_from_str(&source)?.render(values.0.clone())?;
    if filled.trim().is_empty() { Err(Unfilled::Empty) } else { Ok(filled.trim().to_owned()) }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment
}

/// A line that is nothing but the link may always stand there: it becomes a button, and goes where there is no link.
fn links_are_optional(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let bare: String = line.split_whitespace().collect();
        if bare == "{{manage_url}}" { "{% if manage_url %}{{ manage_url }}{% endif %}" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
