//! What is written of a patient. It is never printed, and leaves memory overwritten.

use chrono::NaiveDate;
use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::{Zeroize, Zeroizing};

use super::place;
use crate::{
    error::{Error, Invalid, Problem, Result},
    field::{Day, from_text},
    ids::TenantId,
    vault::{Sealed, SubjectKey},
};

/// Characters of the longest text.
const LONGEST: usize = 50_000;

/// Clinical text: 1 to 50,000 characters, no control character but line ends and tabs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Clinical(String);

impl Clinical {
    /// Reads a text; what is wrong is told without it.
    pub fn parse(text: &str, longest: usize) -> Result<Self, Problem> {
        let text = Zeroizing::new(text.trim().replace("\r\n", "\n"));
        let strange = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
        if text.is_empty() || text.chars().count() > longest || text.chars().any(strange) {
            let expected = format!("1 to {longest} characters, no control character but line ends and tabs");
            return Err(Problem::new("", "not_a_text", expected));
        }
        Ok(Self(text.to_string()))
    }

    /// The text, for whoever may read it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Clinical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clinical(…)")
    }
}

impl Drop for Clinical {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Deserr<Invalid> for Clinical {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        from_text(value, location, |text| Self::parse(text, LONGEST))
    }
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// What a consultation found.
    Consultation,
    /// A diagnosis.
    Diagnosis,
    /// What was seen or measured.
    Observation,
    /// What is to be done.
    Treatment,
    /// A report of somebody else, such as a laboratory.
    Report,
    /// Anything else.
    Other,
}

/// A record as it is written.
#[derive(Debug, Clone, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct NewRecord {
    /// What it is.
    pub kind: RecordKind,
    /// Day of what it tells, not in the future.
    pub occurred_on: Day,
    /// What it is about: at most 200 characters.
    #[schema(value_type = String, max_length = 200, example = "Épaule droite")]
    pub title: Clinical,
    /// The text: at most 50,000 characters.
    #[schema(value_type = String, max_length = 50000)]
    pub content: Clinical,
}

impl NewRecord {
    /// The rules beyond those of each field.
    pub(crate) fn check(&self, today: NaiveDate) -> Result<()> {
        let mut problems = Vec::new();
        if self.occurred_on.0 > today {
            problems.push(Problem::new("occurred_on", "in_the_future", "a day that is not in the future"));
        }
        if self.title.0.chars().count() > 200 || self.title.0.contains('\n') {
            problems.push(Problem::new("title", "not_a_text", "1 to 200 characters on one line"));
        }
        if problems.is_empty() { Ok(()) } else { Err(Invalid(problems).into()) }
    }

    pub(super) fn seal(
        &self,
        key: &SubjectKey,
        tenant: TenantId,
        record: uuid::Uuid,
        version: i32,
    ) -> Result<Sealed> {
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(Error::internal)?);
        key.seal(&place(tenant, record, version), &plain)
    }

    pub(super) fn open(
        key: &SubjectKey,
        tenant: TenantId,
        record: uuid::Uuid,
        version: i32,
        sealed: Vec<u8>,
    ) -> Result<Self> {
        let plain = key.open(&place(tenant, record, version), &Sealed(sealed))?;
        // The cause could quote the text.
        serde_json::from_slice(&plain).map_err(|_| Error::internal("a sealed record does not read"))
    }
}
