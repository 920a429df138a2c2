//! An entry as it stands in the trail, and the bytes by which it is hashed. Never changes one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::{PatientId, TenantId, UserId};

/// Who did what to what, and when; never the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, ToSchema)]
pub struct Entry {
    /// Its number; numbers have gaps where a transaction was undone.
    pub id: i64,
    /// Whose trail it is in; absent for the platform's own.
    pub tenant_id: Option<TenantId>,
    /// How long it is kept: `security`, `record` or `business`.
    pub class: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The user who acted.
    pub actor_id: Option<UserId>,
    /// The patient who acted, by the link of a message.
    pub actor_patient_id: Option<PatientId>,
    /// What was done, such as `patient.update`.
    pub action: String,
    /// To what kind of thing.
    pub resource: String,
    /// Which one.
    pub resource_id: Option<Uuid>,
    /// Which one, where it has a number or a name instead.
    pub subject: Option<String>,
    /// The request that it belongs to.
    pub request_id: Option<Uuid>,
}

impl Entry {
    /// SHA-256 of the entry's bytes, version 1 (docs/AUDIT.md).
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut bytes = Encoding::begin(*b"E\x01");
        bytes.number(self.id);
        bytes.id(self.tenant_id.map(|id| id.0));
        bytes.text(Some(&self.class));
        bytes.number(self.at.timestamp_micros());
        bytes.id(self.actor_id.map(|id| id.0));
        bytes.id(self.actor_patient_id.map(|id| id.0));
        bytes.text(Some(&self.action));
        bytes.text(Some(&self.resource));
        bytes.id(self.resource_id);
        bytes.text(self.subject.as_deref());
        bytes.id(self.request_id);
        bytes.hash()
    }
}

/// Bytes that no two different lists of fields have in common: each field has a fixed length, or its length in front.
#[derive(Debug)]
pub(super) struct Encoding(Vec<u8>);

impl Encoding {
    /// Begins with two bytes: what it is of, and the version.
    pub(super) fn begin(kind: [u8; 2]) -> Self {
        Self(kind.to_vec())
    }

    /// Eight bytes, the highest first.
    pub(super) fn number(&mut self, number: i64) {
        self.0.extend(number.to_be_bytes());
    }

    /// `00`, or `01` and the sixteen bytes.
    pub(super) fn id(&mut self, id: Option<Uuid>) {
        match id {
            None => self.0.push(0),
            Some(id) => {
                self.0.push(1);
                self.0.extend(id.into_bytes());
            }
        }
    }

    /// `00`, or `01`, the length in eight bytes, and the UTF-8.
    pub(super) fn text(&mut self, text: Option<&str>) {
        match text {
            None => self.0.push(0),
            Some(text) => {
                self.0.push(1);
                self.bytes(text.as_bytes());
            }
        }
    }

    /// The length in eight bytes, and the bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend((bytes.len() as u64).to_be_bytes());
        self.0.extend(bytes);
    }

    /// SHA-256 of it all.
    pub(super) fn hash(self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::audit) fn entry(id: i64) -> Entry {
        Entry {
            id,
            tenant_id: Some(TenantId(Uuid::from_u128(7))),
            class: "record".to_owned(),
            at: DateTime::from_timestamp_micros(1_798_963_200_000_001).unwrap_or_default(),
            actor_id: Some(UserId(Uuid::from_u128(8))),
            actor_patient_id: None,
            action: "patient.update".to_owned(),
            resource: "patient".to_owned(),
            resource_id: Some(Uuid::from_u128(9)),
            subject: None,
            request_id: None,
        }
    }

    /// The encoding is a contract: sealed trails out there were hashed by it. The hash was made apart from this program, by
    /// `printf '4501…' | xxd -r -p | sha256sum` over the bytes as docs/AUDIT.md lists them.
    #[test]
    fn an_entry_has_the_hash_that_the_document_says() {
        assert_eq!(
            hex::encode(entry(1).hash()),
            "6cda9dfa0c398a022012fc49d98b9bf16137832cd36b2f51f191891e2d5eea17"
        );
    }

    #[test]
    fn every_field_counts() {
        let base = entry(1);
        let changes: [fn(&mut Entry); 11] = [
            |e| e.id = 2,
            |e| e.tenant_id = None,
            |e| e.class = "business".to_owned(),
            |e| e.at += chrono::TimeDelta::microseconds(1),
            |e| e.actor_id = None,
            |e| e.actor_patient_id = Some(PatientId(Uuid::from_u128(8))),
            |e| e.action.push('x'),
            |e| e.resource.push('x'),
            |e| e.resource_id = None,
            |e| e.subject = Some(String::new()),
            |e| e.request_id = Some(Uuid::from_u128(1)),
        ];
        for (place, change) in changes.iter().enumerate() {
            let mut other = base.clone();
            change(&mut other);
            assert_ne!(other.hash(), base.hash(), "change {place}");
        }
    }
}
