//! Seals what was recorded since the last run, then anchors the heads of the chains that moved. Each step is whole in itself:
//! whatever a dead process left is met by the next run, a minute later.

use std::time::Duration;

use permanence_domain::{
    audit::{Anchor, jobs::SealEntries, next_anchor, note_anchor, seal_batch, set_fence},
    db::Actor,
    error::Result,
    storage::Storage,
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Entries in memory at once.
const BATCH: usize = 10_000;
/// How long to wait for the transactions that run; those that take longer are met by the next run.
const LOOKS: u32 = 40;
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Perform for SealEntries {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let any = set_fence(&mut tx).await?;
        tx.commit().await?;
        let (entries, seals) = if any { seal_all(services).await? } else { (0, 0) };
        let anchors = anchor_all(services).await?;
        metrics::counter!("permanence_audit_sealed_total").increment(entries as u64);
        Ok(Outcome::Done(Some(serde_json::json!({ "entries": entries, "seals": seals, "anchors": anchors }))))
    }
}

/// Seals batch by batch, once the fence holds.
async fn seal_all(services: &Services) -> Result<(usize, usize)> {
    let (mut entries, mut seals, mut looks) = (0, 0, 0);
    loop {
        let mut tx = services.db.system(Actor::JOB).await?;
        let sealed = seal_batch(&mut tx, BATCH).await?;
        tx.commit().await?;
        match sealed {
            Some(sealed) => {
                entries += sealed.entries;
                seals += sealed.seals;
                if !sealed.more {
                    return Ok((entries, seals));
                }
            }
            None if entries > 0 || looks == LOOKS => return Ok((entries, seals)),
            None => {
                looks += 1;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

async fn anchor_all(services: &Services) -> Result<usize> {
    let storage = services.anchors()?;
    let mut anchors = 0;
    loop {
        let mut tx = services.db.system(Actor::JOB).await?;
        let next = next_anchor(&mut tx).await?;
        tx.commit().await?;
        let Some(anchor) = next else { return Ok(anchors) };
        let bytes = put(storage, &anchor).await?;
        let mut tx = services.db.system(Actor::JOB).await?;
        note_anchor(&mut tx, &bytes).await?;
        tx.commit().await?;
        anchors += 1;
    }
}

/// Puts the anchor where nothing is; what a run before left there stands. Gives the bytes that are in the store.
async fn put(storage: &Storage, anchor: &Anchor) -> Result<Vec<u8>> {
    let (key, bytes) = (anchor.key()?, anchor.to_bytes()?);
    if storage.put_new(&key, "application/json", bytes.clone()).await? {
        Ok(bytes)
    } else {
        storage.get(&key).await
    }
}
