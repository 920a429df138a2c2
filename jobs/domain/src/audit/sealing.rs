//! Sealing what was recorded: which entries are whole, and the seals of them. Takes no lock that a request waits for, and holds
//! one batch in memory.
//!
//! Numbers come from a sequence and transactions end in any order, so an entry may appear after one with a larger number. A
//! fence tells when that is over: the sequence is read, then a transaction id is drawn. Each entry draws its number after its
//! transaction has its id (the column's default), so every number up to the one read belongs to a smaller id; once all of
//! those have ended, no such entry is still to appear.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    entry::Entry,
    seal::{Bytes, Chain, Head, Leaf, Seal},
};
use crate::{
    db::SystemTx,
    error::{Error, Result},
    ids::{PatientId, TenantId, UserId},
};

/// What a batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Entries that are sealed now and were not before.
    pub entries: usize,
    /// The seals of them: at most one for each chain.
    pub seals: usize,
    /// Whether more can be sealed at once.
    pub more: bool,
}

/// What waits to be sealed and to be anchored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backlog {
    /// The age of the oldest entry without a seal, seconds; 0 where there is none.
    pub unsealed_seconds: f64,
    /// The age of the oldest seal that no anchor holds, seconds; 0 where there is none.
    pub unanchored_seconds: f64,
}

/// Sets a fence after what was recorded so far, in a transaction of its own that has done nothing before. False where nothing
/// was recorded since the last seal.
pub async fn set_fence(tx: &mut SystemTx) -> Result<bool> {
    let up_to = sqlx::query_scalar!(
        r#"SELECT s.last_value AS "up_to!" FROM audit_log_id_seq AS s, audit_sealing AS a
           WHERE s.is_called AND s.last_value > a.sealed_to"#
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(up_to) = up_to else { return Ok(false) };
    // A statement of its own: the id is drawn after the sequence was read. Fences with larger ids are of another cluster, from
    // which this database was restored; nothing of that is running here.
    sqlx::query!(
        "WITH old AS (DELETE FROM audit_fences WHERE xact > pg_current_xact_id())
         INSERT INTO audit_fences (xact, up_to) VALUES (pg_current_xact_id(), $1)",
        up_to
    )
    .execute(tx.conn())
    .await?;
    Ok(true)
}

/// Seals the next `most` entries of those before a fence that holds; none where there is no such fence yet, or somebody else
/// is sealing.
pub async fn seal_batch(tx: &mut SystemTx, most: usize) -> Result<Option<Sealed>> {
    let limit = i64::try_from(most).map_err(Error::internal)?;
    let locked = sqlx::query_scalar!("SELECT sealed_to FROM audit_sealing FOR UPDATE SKIP LOCKED")
        .fetch_optional(tx.conn())
        .await?;
    let Some(sealed_to) = locked else { return Ok(None) };
    // No transaction with a smaller id runs any more; what it recorded is seen by the statements that follow.
    let up_to = sqlx::query_scalar!(
        "SELECT max(up_to) FROM audit_fences WHERE xact <= pg_snapshot_xmin(pg_current_snapshot()) AND up_to > $1",
        sealed_to
    )
    .fetch_one(tx.conn())
    .await?;
    let Some(up_to) = up_to else { return Ok(None) };
    let entries = entries_between(tx, sealed_to, up_to, limit).await?;
    let more = entries.len() == most;
    let sealed_to = entries.last().filter(|_| more).map_or(up_to, |last| last.id);
    let seals = seal(tx, &entries).await?;
    keep(tx, &seals).await?;
    sqlx::query!(
        "WITH passed AS (DELETE FROM audit_fences WHERE up_to <= $1) UPDATE audit_sealing SET sealed_to = $1",
        sealed_to
    )
    .execute(tx.conn())
    .await?;
    Ok(Some(Sealed { entries: entries.len(), seals: seals.len(), more }))
}

/// Every tenant's entries, along the primary key.
async fn entries_between(tx: &mut SystemTx, after: i64, to: i64, limit: i64) -> Result<Vec<Entry>> {
    Ok(sqlx::query_as!(
        Entry,
        r#"SELECT id, tenant_id AS "tenant_id: TenantId", class, at, actor_id AS "actor_id: UserId",
                  actor_patient_id AS "actor_patient_id: PatientId", action, resource, resource_id, subject, request_id
           FROM audit_log WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3"#,
        after,
        to,
        limit
    )
    .fetch_all(tx.conn())
    .await?)
}

async fn seal(tx: &mut SystemTx, entries: &[Entry]) -> Result<Vec<Seal>> {
    let mut batches: BTreeMap<Chain, Vec<Leaf>> = BTreeMap::new();
    for entry in entries {
        batches.entry(Chain::of(entry)).or_default().push(Leaf::from(entry));
    }
    let heads = heads_of(tx, batches.keys()).await?;
    // As the database will have it: whole microseconds.
    let now = DateTime::from_timestamp_micros(tx.now().timestamp_micros()).unwrap_or_default();
    let seal = |(chain, leaves): (Chain, Vec<Leaf>)| {
        let head = heads.get(&chain);
        Seal::of(chain, head, &leaves, now)
    };
    Ok(batches.into_iter().filter_map(seal).collect())
}

async fn heads_of(tx: &mut SystemTx, chains: impl Iterator<Item = &Chain>) -> Result<BTreeMap<Chain, Head>> {
    let (tenants, classes): (Vec<Uuid>, Vec<String>) =
        chains.map(|chain| (chain.tenant_id, chain.class.clone())).unzip();
    let heads = sqlx::query!(
        r#"SELECT c.tenant_id, c.class, c.number, c.last_id, c.hash AS "hash: Bytes"
           FROM unnest($1::uuid[], $2::text[]) AS w (tenant_id, class)
           JOIN audit_chains AS c ON c.tenant_id = w.tenant_id AND c.class = w.class"#,
        &tenants,
        &classes
    )
    .fetch_all(tx.conn())
    .await?;
    let head = |chain: Chain, number, last_id, hash| (chain.clone(), Head { chain, number, last_id, hash });
    let of = |tenant_id, class| Chain { tenant_id, class };
    Ok(heads.into_iter().map(|h| head(of(h.tenant_id, h.class), h.number, h.last_id, h.hash)).collect())
}

/// Adds the seals and moves the heads of their chains, in two statements.
async fn keep(tx: &mut SystemTx, seals: &[Seal]) -> Result<()> {
    let column = |value: fn(&Seal) -> i64| seals.iter().map(value).collect::<Vec<i64>>();
    let bytes =
        |value: fn(&Seal) -> &Bytes| seals.iter().map(|s| value(s).0.clone()).collect::<Vec<Vec<u8>>>();
    let times = |value: fn(&Seal) -> DateTime<Utc>| seals.iter().map(value).collect::<Vec<_>>();
    let tenants: Vec<Uuid> = seals.iter().map(|seal| seal.chain.tenant_id).collect();
    let classes: Vec<String> = seals.iter().map(|seal| seal.chain.class.clone()).collect();
    let (numbers, last, hashes) = (column(|s| s.number), column(|s| s.last_id), bytes(|s| &s.hash));
    let added = sqlx::query!(
        "INSERT INTO audit_seals (tenant_id, class, number, previous, first_id, last_id, entries, from_at, until_at,
                                  sealed_at, root, leaves, hash)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[],
                              $7::bigint[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bytea[],
                              $12::bytea[], $13::bytea[])",
        &tenants,
        &classes,
        &numbers,
        &bytes(|s| &s.previous),
        &column(|s| s.first_id),
        &last,
        &column(|s| s.entries),
        &times(|s| s.from_at),
        &times(|s| s.until_at),
        &times(|s| s.sealed_at),
        &bytes(|s| &s.root),
        &bytes(|s| &s.leaves),
        &hashes,
    )
    .execute(tx.conn())
    .await?;
    // A head moves by one seal at a time.
    let moved = sqlx::query!(
        "INSERT INTO audit_chains AS c (tenant_id, class, number, last_id, hash)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[])
         ON CONFLICT (tenant_id, class) DO UPDATE
         SET number = excluded.number, last_id = excluded.last_id, hash = excluded.hash
         WHERE c.number = excluded.number - 1",
        &tenants,
        &classes,
        &numbers,
        &last,
        &hashes,
    )
    .execute(tx.conn())
    .await?;
    let expected = seals.len() as u64;
    if (added.rows_affected(), moved.rows_affected()) == (expected, expected) {
        Ok(())
    } else {
        Err(Error::internal("a chain of the audit trail moved by something other than its next seal"))
    }
}

/// What waits, for the gauges.
pub async fn backlog(tx: &mut SystemTx) -> Result<Backlog> {
    let now = tx.now();
    let row = sqlx::query!(
        r#"SELECT extract(epoch FROM $1 - (
                      SELECT at FROM audit_log WHERE id > (SELECT sealed_to FROM audit_sealing)
                      ORDER BY id LIMIT 1))::float8 AS unsealed,
                  extract(epoch FROM $1 - (
                      SELECT min(s.sealed_at) FROM audit_chains AS c
                      JOIN audit_seals AS s ON s.tenant_id = c.tenant_id AND s.class = c.class
                                               AND s.number = c.anchored + 1
                      WHERE c.anchored < c.number))::float8 AS unanchored"#,
        now
    )
    .fetch_one(tx.conn())
    .await?;
    let seconds = |age: Option<f64>| age.unwrap_or_default().max(0.0);
    Ok(Backlog { unsealed_seconds: seconds(row.unsealed), unanchored_seconds: seconds(row.unanchored) })
}
