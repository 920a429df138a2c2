//! Answers on standard output: plain tables with aligned columns for a person, JSON for a program.

use std::{
    fmt::{Display, Write as _},
    io::{self, Write as _},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tabwriter::TabWriter;

use super::Refusal;
use crate::Failure;

/// Prints an answer.
pub(super) fn answer(
    json: bool,
    answer: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Refusal> {
    let text = if json {
        let json = serde_json::to_string_pretty(answer).map_err(Failure::from)?;
        format!("{json}\n")
    } else {
        text()
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads may have seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::from(error).into()),
        _ => Ok(()),
    }
}

/// Columns under their heads.
pub(super) fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let lines = std::iter::once(head.join("\t")).chain(rows.map(|row| row.join("\t")));
    aligned(lines)
}

/// What is known of one thing, a line each.
pub(super) fn sheet(rows: Vec<(&str, String)>) -> String {
    aligned(rows.into_iter().map(|(name, value)| format!("{name}\t{value}")))
}

/// How many, then which.
pub(super) fn numbers(done: &str, ids: &[i64]) -> String {
    let mut text = format!("{} {done}\n", ids.len());
    for id in ids {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{id}");
    }
    text
}

fn aligned(lines: impl Iterator<Item = String>) -> String {
    let mut writer = TabWriter::new(Vec::new()).padding(2);
    for line in lines {
        let _ = writeln!(writer, "{line}");
    }
    // Neither does writing to memory.
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An instant to the second, UTC.
pub(super) fn instant(at: Option<DateTime<Utc>>) -> String {
    or_dash(at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)))
}

/// A length of time, whole seconds.
pub(super) fn seconds(seconds: Option<f64>) -> String {
    or_dash(seconds.map(|seconds| format!("{seconds:.0}s")))
}

/// What is there, or a dash.
pub(super) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
