//! Practices that move in with what their browsers kept (localStorage): patients, appointments, availability. A dump is
//! checked whole, backed up for, moved in whole or not at all, and can be taken back while nothing was changed since. Never
//! opens what is medical.

mod apply;
mod backup;
mod check;
mod dump;
pub mod jobs;
mod read;
mod report;
mod request;
mod rollback;
mod stage;

pub use apply::apply;
pub use backup::{BACKUP, note_backup};
pub use check::check_records;
pub use dump::{Found, Stopped, read_dump};
pub use read::{Checks, Record};
pub use report::{DumpFault, Report, TableReport};
pub use request::{
    Migration, MigrationOptions, MigrationStart, MigrationStatus, Named, Started, begin, end, fail, get,
    list, request,
};
pub use rollback::rollback;
pub use stage::{Stage, stage};

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
    /// What is medical: counted, never opened.
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
