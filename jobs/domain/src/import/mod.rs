//! Practices that move in with what their browsers kept (localStorage): patients, appointments, medical records, availability. A
//! dump is checked whole, backed up for, moved in whole or not at all, and can be taken back while nothing was changed since.
//! Never holds what is medical in clear but in memory.

mod apply;
mod backup;
mod check;
mod dump;
mod files;
pub mod jobs;
mod medical;
mod read;
mod report;
mod request;
mod rollback;
mod stage;

pub use apply::apply;
pub use backup::{BACKUP, Backup, note_backup};
pub use check::check_records;
pub use dump::{Found, Stopped, read_dump};
pub use files::{MigrationContent, MigrationFile, end_files, files_left, leftovers, read_file, removed};
pub(crate) use files::{at_work, end_for_erasure, objects_removed};
pub use read::{Checks, Record};
pub use report::{DumpFault, Report, TableReport};
pub use request::{
    Migration, MigrationOptions, MigrationStart, MigrationStatus, Named, Started, begin, end, fail, get,
    list, request,
};
pub use rollback::rollback;
pub use stage::{Stage, StageKey, stage};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The area of the object store that dumps and backups lie in.
pub const AREA: &str = "migrations";

/// A table of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Who comes.
    Patients,
    /// When they come.
    Appointments,
    /// What care wrote down.
    MedicalRecords,
    /// When practitioners see patients.
    Availability,
}

impl Table {
    /// Every table, in the order in which it is moved in.
    pub const ALL: [Self; 4] = [Self::Patients, Self::Appointments, Self::MedicalRecords, Self::Availability];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patients => "patients",
            Self::Appointments => "appointments",
            Self::MedicalRecords => "medical_records",
            Self::Availability => "availability",
        }
    }

    /// The table of this name, in either case of the browser's.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| {
            table.as_str() == name || (name == "medicalRecords" && *table == Self::MedicalRecords)
        })
    }
}

/// What reading again tells of the rows that a migration made.
struct ReadAgain {
    /// Rows.
    count: i64,
    /// Of what they say, to be compared with what they were to say.
    hash: Vec<u8>,
    /// What is kept of it.
    checksum: String,
}
