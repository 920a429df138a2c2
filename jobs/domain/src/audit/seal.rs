//! A seal: what proves a batch of a chain's entries, and all before it. Pure; knows no database.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::entry::{Encoding, Entry};

/// Bytes that people read as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Default, sqlx::Type)]
#[sqlx(transparent)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map(Self).map_err(D::Error::custom)
    }
}

/// A chain of seals: a tenant's entries of one class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Chain {
    /// The tenant; the nil UUID for the platform.
    pub tenant_id: Uuid,
    /// The class of its entries.
    pub class: String,
}

impl Chain {
    /// The chain that an entry belongs to.
    pub fn of(entry: &Entry) -> Self {
        Self { tenant_id: entry.tenant_id.map_or(Uuid::nil(), |id| id.0), class: entry.class.clone() }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tenant_id.is_nil() {
            write!(f, "platform/{}", self.class)
        } else {
            write!(f, "{}/{}", self.tenant_id, self.class)
        }
    }
}

/// What of an entry goes into a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) id: i64,
    pub(super) at: DateTime<Utc>,
    pub(super) hash: [u8; 32],
}

impl From<&Entry> for Leaf {
    fn from(entry: &Entry) -> Self {
        Self { id: entry.id, at: entry.at, hash: entry.hash() }
    }
}

/// The mark of an entry in a seal: its number, and as much of its hash as tells a change of it from its neighbours'.
pub(super) const MARK: usize = 16;

impl Leaf {
    pub(super) fn mark(&self) -> [u8; MARK] {
        let mut mark = [0; MARK];
        let (id, hash) = mark.split_at_mut(8);
        id.copy_from_slice(&self.id.to_be_bytes());
        hash.copy_from_slice(&self.hash[..8]);
        mark
    }
}

/// SHA-256 over the hashes of entries, in their order.
pub(super) fn root(leaves: &[Leaf]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(b"R\x01");
    for leaf in leaves {
        hasher.update(leaf.hash);
    }
    hasher.finalize().into()
}

/// A batch of a chain's entries: those after the seal before, up to `last_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The chain.
    #[serde(flatten)]
    pub chain: Chain,
    /// From 1, without a gap.
    pub number: i64,
    /// The hash of the seal before; zeros for the first.
    pub previous: Bytes,
    /// The first entry.
    pub first_id: i64,
    /// The last entry.
    pub last_id: i64,
    /// How many there are.
    pub entries: i64,
    /// When the earliest of them happened.
    pub from_at: DateTime<Utc>,
    /// When the latest of them happened.
    pub until_at: DateTime<Utc>,
    /// When they were sealed.
    pub sealed_at: DateTime<Utc>,
    /// What the hashes of the entries come to.
    pub root: Bytes,
    /// The marks of the entries, sixteen bytes each.
    pub leaves: Bytes,
    /// The hash of all that, by which the next seal and the anchors know it.
    pub hash: Bytes,
}

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The chain.
    #[serde(flatten)]
    pub chain: Chain,
    /// Its last seal.
    pub number: i64,
    /// The last entry of that.
    pub last_id: i64,
    /// The seal's hash.
    pub hash: Bytes,
}

impl Seal {
    /// Seals entries, in the order of their numbers, after the chain's last seal; none where there are none.
    pub(super) fn of(
        chain: Chain,
        after: Option<&Head>,
        leaves: &[Leaf],
        sealed_at: DateTime<Utc>,
    ) -> Option<Self> {
        let (first, last) = (leaves.first()?, leaves.last()?);
        let mut seal = Self {
            chain,
            number: after.map_or(1, |head| head.number + 1),
            previous: after.map_or_else(|| Bytes(vec![0; 32]), |head| head.hash.clone()),
            first_id: first.id,
            last_id: last.id,
            entries: i64::try_from(leaves.len()).ok()?,
            from_at: leaves.iter().map(|leaf| leaf.at).min()?,
            until_at: leaves.iter().map(|leaf| leaf.at).max()?,
            sealed_at,
            root: Bytes(root(leaves).to_vec()),
            leaves: Bytes(leaves.iter().flat_map(Leaf::mark).collect()),
            hash: Bytes::default(),
        };
        seal.hash = seal.reckon();
        Some(seal)
    }

    /// The hash that these fields come to, version 1 (docs/AUDIT.md).
    pub(super) fn reckon(&self) -> Bytes {
        let mut bytes = Encoding::begin(*b"S\x01");
        bytes.id(Some(self.chain.tenant_id));
        bytes.text(Some(&self.chain.class));
        bytes.number(self.number);
        bytes.bytes(&self.previous.0);
        bytes.number(self.first_id);
        bytes.number(self.last_id);
        bytes.number(self.entries);
        for at in [self.from_at, self.until_at, self.sealed_at] {
            bytes.number(at.timestamp_micros());
        }
        bytes.bytes(&self.root.0);
        bytes.bytes(&self.leaves.0);
        Bytes(bytes.hash().to_vec())
    }

    /// The chain's head, once this is its last seal.
    pub(super) fn head(&self) -> Head {
        Head {
            chain: self.chain.clone(),
            number: self.number,
            last_id: self.last_id,
            hash: self.hash.clone(),
        }
    }
}
