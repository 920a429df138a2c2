//! Anchors: objects that hold the heads of chains, where whoever owns the database cannot rewrite them. Owns what is in one
//! and when it counts; the worker puts it there.
//!
//! An anchor counts once its object is in the store. If a process dies between the two, the next run meets the object under the
//! next number, finds that it says what the chains say, and notes it as it is.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::seal::{Bytes, Chain, Head};
use crate::{
    db::SystemTx,
    error::{Error, Result},
    storage::{Kept, ObjectKey, Storage},
};

/// Where anchors lie in the bucket.
pub(super) const ANCHORS: &str = "audit/anchors";

/// Heads that one anchor holds at most: what is over goes into the next.
const HEADS: i64 = 10_000;

/// The heads of the chains that moved since the anchor before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The form of this object: 1.
    pub version: u8,
    /// From 1, without a gap.
    pub number: i64,
    /// SHA-256 of the bytes of the anchor before; zeros for the first.
    pub previous: Bytes,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The heads.
    pub heads: Vec<Head>,
}

impl Anchor {
    /// Its object: the number in twenty digits, so that names sort by it.
    pub fn key(&self) -> Result<ObjectKey> {
        anchor_key(self.number)
    }

    /// The object's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(Error::internal)
    }

    /// Reads an object.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let anchor: Self = serde_json::from_slice(bytes).map_err(Error::internal)?;
        if anchor.version == 1 {
            Ok(anchor)
        } else {
            Err(Error::internal("an anchor of the audit trail has a form that this version cannot read"))
        }
    }
}

/// The object of the anchor with this number.
pub fn anchor_key(number: i64) -> Result<ObjectKey> {
    ObjectKey::parse(&format!("{ANCHORS}/{number:020}.json"))
}

/// The number of an anchor by its object's name, which is the last part of its key.
pub fn anchor_number(name: &str) -> Option<i64> {
    let digits = name.rsplit('/').next()?.strip_suffix(".json")?;
    digits.parse().ok().filter(|_| digits.len() == 20)
}

/// Reads every anchor in the store, in their order, one at a time.
pub async fn read_anchors(storage: &Storage, mut take: impl FnMut(i64, &[u8])) -> Result<()> {
    let mut anchors = std::pin::pin!(storage.every(ANCHORS.to_owned()));
    while let Some(Kept { key, .. }) = anchors.try_next().await? {
        if let Some(number) = anchor_number(key.as_str()) {
            take(number, &storage.get(&key).await?);
        }
    }
    Ok(())
}

/// SHA-256 of an object's bytes.
pub(super) fn anchor_hash(bytes: &[u8]) -> Bytes {
    Bytes(Sha256::digest(bytes).to_vec())
}

/// The anchor that is to be made next; none where every head is anchored.
pub async fn next_anchor(tx: &mut SystemTx) -> Result<Option<Anchor>> {
    let heads: Vec<Head> = sqlx::query!(
        r#"SELECT tenant_id, class, number, last_id, hash AS "hash: Bytes"
           FROM audit_chains WHERE anchored < number ORDER BY tenant_id, class LIMIT $1"#,
        HEADS
    )
    .map(|row| Head {
        chain: Chain { tenant_id: row.tenant_id, class: row.class },
        number: row.number,
        last_id: row.last_id,
        hash: row.hash,
    })
    .fetch_all(tx.conn())
    .await?;
    if heads.is_empty() {
        return Ok(None);
    }
    let (last, previous) = last_anchor(tx).await?;
    Ok(Some(Anchor { version: 1, number: last + 1, previous, at: tx.now(), heads }))
}

async fn last_anchor(tx: &mut SystemTx) -> Result<(i64, Bytes)> {
    let last = sqlx::query!(
        r#"SELECT number, hash AS "hash: Bytes" FROM audit_anchors ORDER BY number DESC LIMIT 1"#
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(last.map_or_else(|| (0, Bytes(vec![0; 32])), |row| (row.number, row.hash)))
}

/// Notes an anchor that is in the store, as the bytes there say. Refused where they do not follow the anchor before, or name a
/// head that the seals do not have: somebody changed one or the other.
pub async fn note_anchor(tx: &mut SystemTx, bytes: &[u8]) -> Result<()> {
    let anchor = Anchor::read(bytes)?;
    let (last, previous) = last_anchor(tx).await?;
    if (anchor.number, &anchor.previous) != (last + 1, &previous) {
        return Err(disagrees());
    }
    let tenants: Vec<Uuid> = anchor.heads.iter().map(|head| head.chain.tenant_id).collect();
    let classes: Vec<String> = anchor.heads.iter().map(|head| head.chain.class.clone()).collect();
    let numbers: Vec<i64> = anchor.heads.iter().map(|head| head.number).collect();
    let hashes: Vec<Vec<u8>> = anchor.heads.iter().map(|head| head.hash.0.clone()).collect();
    let moved = sqlx::query!(
        "UPDATE audit_chains AS c SET anchored = h.number
         FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bytea[]) AS h (tenant_id, class, number, hash)
         JOIN audit_seals AS s ON s.tenant_id = h.tenant_id AND s.class = h.class AND s.number = h.number
                                  AND s.hash = h.hash
         WHERE c.tenant_id = h.tenant_id AND c.class = h.class AND c.anchored < h.number",
        &tenants,
        &classes,
        &numbers,
        &hashes
    )
    .execute(tx.conn())
    .await?;
    if moved.rows_affected() != anchor.heads.len() as u64 {
        return Err(disagrees());
    }
    sqlx::query!(
        "INSERT INTO audit_anchors (number, hash, heads, anchored_at) VALUES ($1, $2, $3, $4)",
        anchor.number,
        anchor_hash(bytes).0,
        i64::try_from(anchor.heads.len()).map_err(Error::internal)?,
        anchor.at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn disagrees() -> Error {
    Error::internal("an anchor in the object store says otherwise than the seals: verify the audit trail")
}

/// How many anchors the store has that the database does not know: after a restore they hold the heads of what was lost, and the
/// trail can not be anchored behind them.
pub async fn anchors_beyond(tx: &mut SystemTx, storage: &Storage) -> Result<usize> {
    let (last, _) = last_anchor(tx).await?;
    let mut beyond = 0;
    read_anchors(storage, |number, _| beyond += usize::from(number > last)).await?;
    Ok(beyond)
}
