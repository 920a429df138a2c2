//! Medical records: what care writes down of a patient, version by version, sealed under the patient's key. Owns who wrote what
//! when; never logs, caches or hands on what was written.

mod adopt;
mod content;
mod record;
mod row;
mod whole;

pub(crate) use adopt::{AdoptedRecord, AdoptedVersion, adopt, care_key, open_version};
pub use content::{Clinical, NewRecord, RecordKind};
pub use record::{read, retract, update, versions, write};
pub use row::{RecordQuery, list};
pub use whole::{WholeVersion, every_version};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ids::{MedicalRecordId, PatientId, PractitionerId, TenantId, UserId},
    vault::{KeyClass, Place, Subject},
};

/// A record in a list: everything but its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordSummary {
    /// Identifier.
    pub id: MedicalRecordId,
    /// Whose.
    pub patient_id: PatientId,
    /// What it is.
    pub kind: RecordKind,
    /// What it is about.
    #[schema(value_type = String)]
    pub title: Clinical,
    /// Day of what it tells.
    pub occurred_on: NaiveDate,
    /// The present version, for `If-Match`.
    pub version: i32,
    /// First written at.
    pub created_at: DateTime<Utc>,
    /// First written by.
    pub created_by: Option<UserId>,
    /// Last written at.
    pub updated_at: DateTime<Utc>,
    /// Last written by.
    pub updated_by: Option<UserId>,
    /// Moved in at, where the version was written elsewhere.
    pub imported_at: Option<DateTime<Utc>>,
    /// Who wrote the version there, if the practice knows them.
    pub practitioner_id: Option<PractitionerId>,
    /// Retracted at: it was written in error, and is kept because it was read.
    pub retracted_at: Option<DateTime<Utc>>,
    /// Retracted by.
    pub retracted_by: Option<UserId>,
}

/// A record with its text, as it is or as it was.
#[derive(Debug, Serialize, ToSchema)]
pub struct Record {
    /// All but the text.
    #[serde(flatten)]
    pub summary: RecordSummary,
    /// The text.
    #[schema(value_type = String)]
    pub content: Clinical,
}

/// What is answered to who writes: never what was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordWritten {
    /// Identifier.
    pub id: MedicalRecordId,
    /// Whose.
    pub patient_id: PatientId,
    /// The version that was written.
    pub version: i32,
    /// Written at.
    pub written_at: DateTime<Utc>,
}

/// A version of a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordVersion {
    /// Its number, from 1.
    pub version: i32,
    /// Written at.
    pub written_at: DateTime<Utc>,
    /// Written by.
    pub written_by: Option<UserId>,
    /// Moved in at, where it was written elsewhere.
    pub imported_at: Option<DateTime<Utc>>,
    /// Who wrote it there, if the practice knows them.
    pub practitioner_id: Option<PractitionerId>,
}

/// The versions of a record, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordHistory {
    /// Each version.
    pub items: Vec<RecordVersion>,
}

fn subject(patient: PatientId) -> Subject {
    Subject { id: patient.0, class: KeyClass::Care }
}

fn place(tenant: TenantId, record: Uuid, version: i32) -> Place {
    Place { tenant, table: "medical_record_versions", row: record, version }
}
