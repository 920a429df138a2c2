//! What verifying found, in words and as data.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::audit::seal::Chain;

/// Findings that are listed; those beyond are counted.
const LISTED: usize = 1_000;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// An entry is not what was sealed.
    EntryChanged,
    /// An entry that was sealed is not there, and retention did not take it.
    EntryMissing,
    /// An entry stands where none was sealed.
    EntryInserted,
    /// A seal is not what it was, or does not follow the one before.
    SealChanged,
    /// A seal is not there.
    SealMissing,
    /// The chain ends before its head, or before what an anchor holds.
    TailRemoved,
    /// The noted head of a chain is not its last seal.
    HeadChanged,
    /// An anchor holds another hash than the seal has.
    AnchorDisagrees,
    /// An anchor is not the object that was put, or does not follow the one before.
    AnchorChanged,
    /// An anchor is not there.
    AnchorMissing,
    /// Entries wait too long to be sealed.
    Unsealed,
    /// A removal took what was not past its time.
    EarlyRemoval,
    /// The file does not go on to its end, or is not in its order.
    Incomplete,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// Whose trail; the nil UUID is the platform's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<Uuid>,
    /// Of which class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// At which seal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<i64>,
    /// At which entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<i64>,
    /// At which anchor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<i64>,
    /// In words.
    pub words: String,
}

impl Finding {
    pub(super) fn of(fault: Fault, words: impl Into<String>) -> Self {
        let words = words.into();
        Self { fault, tenant_id: None, class: None, seal: None, entry: None, anchor: None, words }
    }

    pub(super) fn in_chain(fault: Fault, chain: &Chain, words: impl Into<String>) -> Self {
        Self {
            tenant_id: Some(chain.tenant_id),
            class: Some(chain.class.clone()),
            ..Self::of(fault, format!("{chain}: {}", words.into()))
        }
    }

    pub(super) fn seal(self, number: i64) -> Self {
        Self { seal: Some(number), ..self }
    }

    pub(super) fn entry(self, id: i64) -> Self {
        Self { entry: Some(id), ..self }
    }

    pub(super) fn anchor(self, number: i64) -> Self {
        Self { anchor: Some(number), ..self }
    }
}

/// What retention removed of a chain, which is not wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The chain.
    #[serde(flatten)]
    pub chain: Chain,
    /// How many entries went.
    pub entries: i64,
    /// When.
    pub removed_at: DateTime<Utc>,
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Chains that have a seal.
    pub chains: u64,
    /// Seals.
    pub seals: u64,
    /// Entries that are there and sealed.
    pub entries: u64,
    /// Entries that wait for their seal.
    pub waiting: u64,
    /// Anchors that were read; absent where none were looked at.
    pub anchors: Option<u64>,
    /// What retention removed.
    pub removed: Vec<Removed>,
    /// How much is wrong.
    pub faults: u64,
    /// What is wrong: the first thousand.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        self.faults += 1;
        if self.findings.len() < LISTED {
            self.findings.push(finding);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.faults == 0
    }
}
