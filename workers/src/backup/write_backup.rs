//! Writes a backup: a moment of the database, dumped, sealed and sent as it comes, in constant memory; what every table held is read
//! at the same moment, beside it. Then it is read back whole, and only then is it said to be there. What a dead run left is cleared
//! by the next.

use std::io;

use chrono::{DateTime, Utc};
use permanence_domain::{
    Error,
    backup::{
        Manifest, Origin, Source, TableFigures, begin, complete, dump_key, fail, jobs::WriteBackup,
        manifest_key, note_upload,
    },
    db::Actor,
    error::Result,
    exports::Written,
    ids::BackupId,
    storage::{Storage, UploadId},
    vault::ContentKey,
};
use permanence_queue::Failure;

use super::{BackupServices, read::check};
use crate::{
    exports::upload::upload,
    perform::{Outcome, PerformLong, Run, Watch, failure, insist},
    services::Services,
};

impl PerformLong for WriteBackup {
    async fn perform(self, _run: Run, watch: &Watch, services: &Services) -> Result<Outcome> {
        let storage = services.backups()?;
        let mut tx = services.db.system(Actor::JOB).await?;
        let begun = begin(&mut tx).await?;
        tx.commit().await?;
        for left in begun.left {
            clear(storage, left.id, left.upload.as_ref()).await?;
        }
        let attempt = Attempt { id: begun.id, storage, services, with: services.backup()? };
        let mut used = None;
        let written = tokio::select! {
            written = attempt.write(&mut used) => written,
            () = watch.cancelled.cancelled() => {
                attempt.give_up(used.as_ref(), "cancelled").await?;
                return Ok(Outcome::Cancel("cancelled while it was written".to_owned()));
            }
        };
        match written {
            Ok(Some(manifest)) => Ok(Outcome::Done(Some(serde_json::json!({
                "backup_id": manifest.id, "size_bytes": manifest.size_bytes, "tables": manifest.tables.len(),
            })))),
            Ok(None) => {
                clear(storage, begun.id, used.as_ref()).await?;
                Ok(Outcome::Cancel("another backup has begun meanwhile".to_owned()))
            }
            Err(error) => {
                let told: Failure = failure(&error);
                attempt.give_up(used.as_ref(), &told.code).await?;
                Err(error)
            }
        }
    }
}

/// One attempt at a backup.
struct Attempt<'a> {
    id: BackupId,
    storage: &'a Storage,
    services: &'a Services,
    with: &'a BackupServices,
}

/// What is read of the database beside the dump.
struct Seen {
    at: DateTime<Utc>,
    origin: Origin,
    tables: Vec<TableFigures>,
}

impl Attempt<'_> {
    /// `None` where another backup has begun meanwhile.
    async fn write(&self, used: &mut Option<UploadId>) -> Result<Option<Manifest>> {
        let key = ContentKey::random()?;
        let object = dump_key(self.id)?;
        let id = used.insert(self.storage.begin_upload(&object, "application/octet-stream").await?);
        let mut tx = self.services.db.system(Actor::JOB).await?;
        let noted = note_upload(&mut tx, self.id, id).await?;
        tx.commit().await?;
        if !noted {
            return Ok(None);
        }
        let (seen, written) = self.read(&key, id).await?;
        let manifest = self.manifest(&key, seen, &written)?;
        // Marked before it is checked, so that what is read back is what is said.
        let bytes = manifest.clone().marked(&key)?;
        let marked: Manifest = serde_json::from_slice(&bytes).map_err(Error::internal)?;
        check(self.storage, &self.with.keys, &self.with.programs, &marked).await?;
        self.storage.put(&manifest_key(self.id)?, "application/json", bytes).await?;
        let noted = insist(|| async {
            let mut tx = self.services.db.system(Actor::JOB).await?;
            let noted = complete(&mut tx, &marked).await?;
            tx.commit().await?;
            Ok(noted)
        });
        Ok(noted.await?.then_some(marked))
    }

    /// Dumps one moment into the store, and reads what every table held at that moment.
    async fn read(&self, key: &ContentKey, upload_id: &UploadId) -> Result<(Seen, Written)> {
        let object = dump_key(self.id)?;
        let mut source = Source::open(&self.with.source).await?;
        let program =
            self.with.programs.dump(&self.with.source, source.snapshot()).map_err(Error::internal)?;
        let sealing = key.shared();
        let dumping = upload(self.storage, &object, upload_id, async { Ok(()) }, move |mut parts| {
            let mut program = program;
            let output = program.output()?;
            sealing.seal(output, &mut parts).map_err(io::Error::other)?;
            // A dump that ended badly is sealed to its end all the same: only this tells.
            program.finish()?;
            parts.finish(0)
        });
        let seeing = async {
            let (at, origin) = (source.at().await?, source.origin().await?);
            Ok(Seen { at, origin, tables: source.figures().await? })
        };
        let ((written, parts), seen) = tokio::try_join!(dumping, seeing)?;
        source.close().await?;
        self.storage.complete_upload(&object, upload_id, &parts).await?;
        Ok((seen, written))
    }

    fn manifest(&self, key: &ContentKey, seen: Seen, written: &Written) -> Result<Manifest> {
        let (key_id, sealed) = self.with.keys.wrap(self.id.0, key)?;
        Ok(Manifest {
            format: 1,
            id: self.id,
            at: seen.at,
            ended_at: self.services.db.clock().now(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            database: seen.origin,
            size_bytes: written.size_bytes,
            sha256: hex::encode(written.sha256),
            key_id,
            sealed_key: hex::encode(sealed.0),
            tables: seen.tables,
            mark: String::new(),
        })
    }

    /// Notes why it came to nothing, then leaves nothing of it; what the store does not let go of is met by the sweep.
    async fn give_up(&self, used: Option<&UploadId>, code: &str) -> Result<()> {
        let mut tx = self.services.db.system(Actor::JOB).await?;
        fail(&mut tx, self.id, code).await?;
        tx.commit().await?;
        if let Err(error) = clear(self.storage, self.id, used).await {
            tracing::warn!(%error, "what a backup left is left to the sweep");
        }
        Ok(())
    }
}

/// Removes what a backup that never ended has in the store: the manifest first, so that none leads to nothing.
async fn clear(storage: &Storage, id: BackupId, upload: Option<&UploadId>) -> Result<()> {
    storage.remove(&manifest_key(id)?).await?;
    if let Some(upload) = upload {
        storage.abort_upload(&dump_key(id)?, upload).await?;
    }
    storage.remove(&dump_key(id)?).await
}
