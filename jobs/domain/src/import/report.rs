//! What a migration tells of a dump: how much of each table there was and what became of it, and every fault with its place.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Table;
use crate::error::Problem;

/// Most faults that are kept; the others are counted.
pub(super) const MOST_FAULTS: usize = 1_000;

/// Something that is wrong with a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DumpFault {
    /// In which table; absent where it is the whole dump's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
    /// The record's index, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<i64>,
    /// Path of the field within the record, by our names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Stable code, such as `not_a_phone`.
    pub code: String,
    /// What is expected, in words.
    pub expected: String,
    /// What was read, shortened; never what a medical record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
}

/// What there was of a table, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableReport {
    /// Which.
    pub table: Table,
    /// Records in the dump.
    pub found: i64,
    /// Rows that were made of them; of a dry run none.
    pub created: i64,
    /// Records that an earlier migration brought.
    pub known: i64,
    /// SHA-256 over what was to be written, which is what was read again afterwards; of medical records over what lies there
    /// sealed; hexadecimal.
    pub checksum: Option<String>,
}

/// What was found in a dump.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The tables that are in it.
    pub tables: Vec<TableReport>,
    pub(super) faults: Vec<DumpFault>,
    pub(super) count: i64,
}

impl Report {
    /// Whether it can be moved in.
    pub fn is_sound(&self) -> bool {
        self.count == 0
    }

    /// The table's part, new where it had none.
    pub fn of(&mut self, table: Table) -> &mut TableReport {
        let place = self.tables.iter().position(|report| report.table == table).unwrap_or_else(|| {
            let (found, created, known) = (0, 0, 0);
            self.tables.push(TableReport { table, found, created, known, checksum: None });
            self.tables.len() - 1
        });
        &mut self.tables[place]
    }

    /// Notes what is wrong with a record.
    pub fn refuse(&mut self, table: Table, index: i64, problem: Problem) {
        let Problem { field, code, expected, read } = problem;
        // A report lies in clear, and whatever stands in the wrong place of a medical record may be medical.
        let read = read.filter(|_| table != Table::MedicalRecords);
        let field = Some(field).filter(|field| !field.is_empty() && field != "body");
        let code = code.to_owned();
        self.push(DumpFault { table: Some(table), index: Some(index), field, code, expected, read });
    }

    /// Notes what is wrong with the dump as a whole.
    pub fn refuse_whole(&mut self, code: &str, expected: &str, read: String) {
        let (code, expected) = (code.to_owned(), expected.to_owned());
        self.push(DumpFault { table: None, index: None, field: None, code, expected, read: Some(read) });
    }

    pub(super) fn push(&mut self, fault: DumpFault) {
        self.count += 1;
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        }
    }
}
