//! Removes the backups that have served their time; what dead runs left and nobody noted; and the notes of erasures that no backup is
//! older than. What the store refuses to remove, because it is locked, is met by the next run.

use std::{collections::BTreeSet, pin::pin};

use chrono::{DateTime, Duration, Utc};
use futures::TryStreamExt;
use permanence_domain::{
    backup::{
        DUMPS, Manifest, NOTES, backup_of, dump_key, jobs::RemoveBackups, list_manifests, manifest_key,
        note_removed,
    },
    db::Actor,
    error::Result,
    ids::BackupId,
    storage::Storage,
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// A dump without a manifest that is younger may still be on its way.
fn patience() -> Duration {
    Duration::days(1)
}

impl Perform for RemoveBackups {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let storage = services.backups()?;
        let manifests = list_manifests(storage).await?;
        let backups: Vec<(BackupId, DateTime<Utc>)> =
            manifests.iter().map(|manifest| (manifest.id, manifest.at)).collect();
        let ended = services.backup()?.keep.ended(&backups);
        for id in &ended {
            // The manifest first: with it goes the key, and so what can be read.
            storage.remove(&manifest_key(*id)?).await?;
            storage.remove(&dump_key(*id)?).await?;
            let mut tx = services.db.system(Actor::JOB).await?;
            note_removed(&mut tx, *id).await?;
            tx.commit().await?;
        }
        let kept: Vec<&Manifest> =
            manifests.iter().filter(|manifest| !ended.contains(&manifest.id)).collect();
        let (left, notes) = (sweep(storage, services, &kept).await?, forget_notes(storage, &kept).await?);
        let told =
            serde_json::json!({ "removed": ended.len(), "left": left, "notes": notes, "kept": kept.len() });
        Ok(Outcome::Done(Some(told)))
    }
}

/// Removes dumps that no manifest leads to, and aborts uploads that nobody will end.
async fn sweep(storage: &Storage, services: &Services, kept: &[&Manifest]) -> Result<usize> {
    let known: BTreeSet<BackupId> = kept.iter().map(|manifest| manifest.id).collect();
    let before = services.db.clock().now() - patience();
    let mut left = 0;
    let mut dumps = pin!(storage.every(DUMPS.to_owned()));
    while let Some(object) = dumps.try_next().await? {
        if object.kept_at < before && backup_of(&object.key).is_none_or(|id| !known.contains(&id)) {
            storage.remove(&object.key).await?;
            left += 1;
        }
    }
    for upload in storage.list_uploads(DUMPS).await? {
        if upload.begun_at < before {
            storage.abort_upload(&upload.key, &upload.id).await?;
            left += 1;
        }
    }
    Ok(left)
}

/// Removes the notes of erasures that came before every backup that is kept: none of them holds those people.
async fn forget_notes(storage: &Storage, kept: &[&Manifest]) -> Result<usize> {
    let Some(oldest) = kept.iter().map(|manifest| manifest.at).min() else { return Ok(0) };
    let mut gone = 0;
    let mut notes = pin!(storage.every(NOTES.to_owned()));
    while let Some(object) = notes.try_next().await? {
        // A note is written before the rows go, and the store's clock is not the database's.
        if object.kept_at + patience() < oldest {
            storage.remove(&object.key).await?;
            gone += 1;
        }
    }
    Ok(gone)
}
