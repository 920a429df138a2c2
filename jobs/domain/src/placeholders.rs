//! The language of a practice's own words: placeholders in double braces, `if` to ask whether one is known, and nothing
//! else. Nothing of a value is read as a template, and nothing is computed that was not foreseen: no loop, no include, no
//! function, and a limit to the steps. What may be named belongs to whoever fills it.

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use crate::error::Problem;

/// Steps of one template: many times what the longest can need.
const FUEL: u64 = 50_000;

/// Why a template gave no words.
#[derive(Debug)]
pub(crate) enum Unfilled {
    /// It does not read, or prints what is not known.
    Template(minijinja::Error),
    /// Nothing is left of it.
    Empty,
}

impl Unfilled {
    /// The stable word for it: never a value.
    pub(crate) fn reason(&self) -> &'static str {
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

/// Fills a template.
pub(crate) fn fill(source: &str, values: Value) -> Result<String, Unfilled> {
    let environment = environment();
    let filled = environment.template_from_str(source)?.render(values)?;
    if filled.trim().is_empty() { Err(Unfilled::Empty) } else { Ok(filled.trim().to_owned()) }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment
}

/// All that is wrong with a template as it is written; `name` tells what is wrong with a placeholder on a line.
pub(crate) fn check(
    field: &'static str,
    source: &str,
    longest: usize,
    name: impl Fn(&str, usize) -> Option<Problem>,
) -> Vec<Problem> {
    let strange = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
    if source.trim().is_empty() || source.chars().count() > longest || source.chars().any(strange) {
        let expected = format!("1 to {longest} characters, no control character but line ends");
        return vec![Problem::new(field, "not_a_text", expected)];
    }
    let mut problems = Vec::new();
    for tag in tags(source) {
        match names(&tag) {
            None => problems.push(unsupported(field, &tag)),
            Some(named) => problems.extend(named.into_iter().filter_map(|named| name(named, tag.line))),
        }
    }
    if let Err(error) = environment().template_from_str(source) {
        let line = error.line().unwrap_or(1);
        let detail = error.detail().unwrap_or("it does not read");
        problems.push(Problem::new(field, "template_syntax", format!("line {line}: {detail}")));
    }
    problems
}

/// A placeholder that there is not.
pub(crate) fn unknown(field: &'static str, name: &str, line: usize, known: &[&str]) -> Problem {
    let expected = format!("on line {line}: one of {}", known.join(", "));
    Problem::new(field, "unknown_placeholder", expected).read(name)
}

/// A placeholder that is printed without having been asked for.
pub(crate) fn unguarded(field: &'static str, name: &str) -> Problem {
    let expected = format!(
        "{{% if {name} %}} … {{% endif %}} around {{{{ {name} }}}}, which is not known in every case"
    );
    Problem::new(field, "unguarded_placeholder", expected).read(name)
}

fn unsupported(field: &'static str, tag: &Tag<'_>) -> Problem {
    let expected = format!(
        "on line {}: {{{{ placeholder }}}}, {{% if placeholder %}}, {{% if not placeholder %}}, \
         {{% elif placeholder %}}, {{% else %}} or {{% endif %}}",
        tag.line
    );
    Problem::new(field, "unsupported_tag", expected).read(tag.text)
}

/// What stands between double braces, or between braces and percent signs.
struct Tag<'a> {
    line: usize,
    text: &'a str,
    words: Vec<&'a str>,
    block: bool,
}

/// The tags of a template, up to one that is not closed. What [`names`] accepts holds no text in quotes, so that this
/// reads it as the engine does.
fn tags(source: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut rest = source;
    let begin = |rest: &str| ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min();
    while let Some(place) = begin(rest) {
        let opened = &rest[place..];
        let close = match &opened[..2] {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        // After the opening: `{#}` is not closed.
        let Some(length) = opened[2..].find(close).map(|end| end + 4) else { break };
        let text = &opened[..length];
        let inside = text[2..length - 2].trim_matches(['-', '+']);
        let line = 1 + source[..source.len() - opened.len()].matches('\n').count();
        let comment = close == "#}";
        let words = if comment { Vec::new() } else { inside.split_whitespace().collect() };
        tags.push(Tag { line, text, words, block: close == "%}" });
        rest = &opened[length..];
    }
    tags
}

/// The placeholders that a tag names; `None` for a tag that a template may not have.
fn names<'a>(tag: &Tag<'a>) -> Option<Vec<&'a str>> {
    let named = match (tag.block, tag.words.as_slice()) {
        (false, [name]) | (true, ["if" | "elif", name] | ["if" | "elif", "not", name]) => Some(*name),
        (true, ["else" | "endif"]) => return Some(Vec::new()),
        _ => None,
    }?;
    let plain = named.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then(|| vec![named])
}
