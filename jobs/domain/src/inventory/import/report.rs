//! What an import tells of its file: the faults with their places, and what was made of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::Column;

/// Most faults that are kept; the others are counted.
pub(super) const MOST_FAULTS: usize = 1_000;

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// The line on which its record begins, from 1.
    pub line: u64,
    /// The column, from 1; absent where it is the whole line's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The column's header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Stable code, such as `not_a_number`.
    pub code: String,
    /// What is expected, in words.
    pub expected: String,
    /// What was read, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
}

impl Fault {
    pub(super) fn of_line(line: u64, code: &str, expected: impl Into<String>) -> Self {
        let (code, expected) = (code.to_owned(), expected.into());
        Self { line, column: None, header: None, code, expected, read: None }
    }

    /// In a column, counted from 0.
    pub(super) fn at(self, place: usize, header: &str) -> Self {
        let column = u32::try_from(place + 1).ok();
        Self { column, header: (!header.is_empty()).then(|| shortened(header)), ..self }
    }

    pub(super) fn read(self, cell: &str) -> Self {
        Self { read: (!cell.is_empty()).then(|| shortened(cell)), ..self }
    }
}

/// At most 100 characters, without those that no report can show.
fn shortened(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut cut: String = shown.clone().take(100).collect();
    if shown.count() > 100 {
        cut.push('…');
    }
    cut
}

/// A column of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundColumn {
    /// Its header.
    pub header: String,
    /// What it holds; `null` where it is not known and was passed over.
    pub field: Option<Column>,
}

/// Faults, bounded: the first in the file's order are kept, all are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Faults {
    pub(super) kept: Vec<Fault>,
    pub(super) count: i64,
}

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        self.count += 1;
        if self.kept.len() < MOST_FAULTS {
            self.kept.push(fault);
        }
    }

    /// Adds faults of the same lines that were found later, `count` in all.
    pub(super) fn merge(&mut self, others: Vec<Fault>, count: i64) {
        self.kept.extend(others);
        self.kept.sort_by_key(|fault| (fault.line, fault.column));
        self.kept.truncate(MOST_FAULTS);
        self.count += count;
    }
}

/// What was found in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The encoding, by its name in the Encoding Standard.
    pub encoding: String,
    /// What parts the cells: `;`, `,`, `|` or a tab.
    pub delimiter: String,
    /// The columns, in the file's order.
    pub columns: Vec<FoundColumn>,
    /// Lines with something in them, without the header.
    pub lines: i64,
    pub(super) faults: Faults,
}

impl Report {
    /// Whether the file can be applied.
    pub fn is_sound(&self) -> bool {
        self.faults.count == 0
    }
}
