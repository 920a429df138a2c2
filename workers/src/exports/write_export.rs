//! Writes an export: the rows of one moment, as a file, into the object store. Each attempt has a file and an upload of its
//! own; what the one before left is cleared first.

use std::time::Duration;

use permanence_domain::{
    Error,
    error::Result,
    exports::{
        Draft, End, Leftover, Profile, Snapshot, Start, Written, begin, cleared, complete, end,
        jobs::WriteExport, note_upload,
    },
    storage::{Storage, UploadId},
};
use permanence_queue::{Failure, Progress, complete_in, report_progress};
use tokio::time::sleep;

use super::{clear_export::clear, pour::Pour};
use crate::{
    perform::{Outcome, PerformLong, Run, Watch, failure, insist},
    services::Services,
};

/// How often the progress is told, and so how soon a lost lease is felt.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How an attempt ended that no trouble ended.
enum Ended {
    /// The file is there, and the job is completed.
    Completed,
    /// It is not this attempt's turn any more.
    Overtaken,
    /// Somebody cancelled the job.
    Cancelled,
    /// It can never be written, for this reason.
    Refused(&'static str),
}

impl PerformLong for WriteExport {
    async fn perform(self, run: Run, watch: &Watch, services: &Services) -> Result<Outcome> {
        let storage = services.storage()?;
        let mut tx = run.begin(services).await?;
        let start = begin(&mut tx, self.export_id).await?;
        tx.commit().await?;
        let Start::Write(draft) = start else { return Ok(Outcome::Done(None)) };
        if let Some(left) = &draft.left {
            clear(storage, left).await?;
        }
        let attempt = Attempt { draft: &draft, run, watch, services, storage };
        let mut upload = None;
        match attempt.write(&mut upload).await {
            Ok(Ended::Completed) => Ok(Outcome::Completed),
            Ok(Ended::Overtaken) => {
                attempt.clear(upload).await?;
                Ok(Outcome::Cancel("it was removed, or another attempt is at it".to_owned()))
            }
            Ok(Ended::Cancelled) => {
                attempt.end(upload, None).await?;
                Ok(Outcome::Cancel("cancelled while it was written".to_owned()))
            }
            Ok(Ended::Refused(code)) => {
                attempt.end(upload, Some(code)).await?;
                Ok(Outcome::Discard(Failure::new(code, "the format does not hold so many rows")))
            }
            Err(error) => {
                attempt.give_up(upload, &error).await;
                Err(error)
            }
        }
    }
}

/// One attempt at an export.
struct Attempt<'a> {
    draft: &'a Draft,
    run: Run,
    watch: &'a Watch,
    services: &'a Services,
    storage: &'a Storage,
}

impl Attempt<'_> {
    async fn write(&self, upload: &mut Option<UploadId>) -> Result<Ended> {
        let draft = self.draft;
        let kind = draft.kind.kind();
        // A spreadsheet shows the practice's clocks.
        let clocks = if draft.profile == Some(Profile::Rfc4180) { chrono_tz::UTC } else { draft.zone };
        let tenant = self.run.tenant()?;
        let mut snapshot =
            Snapshot::open(&self.services.db, tenant, &draft.filters, draft.zone, clocks).await?;
        let total = snapshot.count(kind).await?;
        if let Err(code) = draft.check_rows(total) {
            return Ok(Ended::Refused(code));
        }
        let begun = self.storage.begin_upload(&draft.key, draft.format.content_type()).await?;
        let id = upload.insert(begun);
        let mut tx = self.run.begin(self.services).await?;
        let noted = note_upload(&mut tx, draft, id).await?;
        tx.commit().await?;
        if !noted {
            return Ok(Ended::Overtaken);
        }
        let pour = Pour::new(draft, total, self.services.db.clock().now());
        let (written, parts) = tokio::select! {
            poured = pour.run(snapshot, self.storage, id) => poured?,
            ended = self.watch(&pour, total) => return ended,
        };
        self.storage.complete_upload(&draft.key, id, &parts).await?;
        if let Err(permanence_queue::Error::StaleLease) = self.tell(written.rows, total).await {
            return Ok(Ended::Overtaken);
        }
        self.complete(&written).await
    }

    /// Tells the progress until the attempt should stop.
    async fn watch(&self, pour: &Pour<'_>, total: i64) -> Result<Ended> {
        loop {
            let cancelled = tokio::select! {
                () = sleep(TELL_EVERY) => false,
                () = self.watch.cancelled.cancelled() => true,
            };
            match self.tell(pour.rows(), total).await {
                Err(permanence_queue::Error::StaleLease) => return Ok(Ended::Overtaken),
                // The job is ours, so it is us whom somebody has stopped.
                Ok(()) if cancelled => return Ok(Ended::Cancelled),
                Ok(()) => {}
                Err(error) if cancelled => return Err(error.into()),
                Err(error) => tracing::warn!(%error, "the progress could not be told"),
            }
        }
    }

    async fn tell(&self, done: i64, total: i64) -> Result<(), permanence_queue::Error> {
        let away = |error: Error| permanence_queue::Error::Worker(error.to_string());
        let mut tx = self.run.begin(self.services).await.map_err(away)?;
        let clock = tx.clock();
        let progress = Progress { done, total: Some(total) };
        report_progress(tx.conn(), &*clock, &self.watch.lease, progress).await?;
        tx.commit().await.map_err(away)
    }

    /// Notes that the file is there and ends the job, at once.
    async fn complete(&self, written: &Written) -> Result<Ended> {
        let end = insist(|| async {
            let mut tx = self.run.begin(self.services).await?;
            let end = complete(&mut tx, self.draft, written).await?;
            if end == End::Now {
                let clock = tx.clock();
                let output = serde_json::json!({ "export_id": self.draft.id, "rows": written.rows });
                complete_in(tx.conn(), &*clock, &self.watch.lease, Some(output)).await?;
            }
            tx.commit().await?;
            Ok(end)
        });
        Ok(if end.await? == End::Overtaken { Ended::Overtaken } else { Ended::Completed })
    }

    /// What this attempt may have in the object store.
    fn left(&self, upload: Option<UploadId>) -> Leftover {
        Leftover { key: self.draft.key.clone(), upload }
    }

    async fn clear(&self, upload: Option<UploadId>) -> Result<()> {
        clear(self.storage, &self.left(upload)).await
    }

    /// The export came to nothing: that is noted, then nothing is left of it.
    async fn end(&self, upload: Option<UploadId>, failure: Option<&str>) -> Result<()> {
        let mut tx = self.run.begin(self.services).await?;
        let ended = end(&mut tx, self.draft, failure).await?;
        tx.commit().await?;
        self.clear(upload).await?;
        if ended {
            let mut tx = self.run.begin(self.services).await?;
            cleared(&mut tx, self.draft.id).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Trouble: the upload is given up if the store can be reached, else by whoever comes next.
    async fn give_up(&self, upload: Option<UploadId>, error: &Error) {
        if let Some(upload) = upload
            && let Err(error) = self.storage.abort_upload(&self.draft.key, &upload).await
        {
            tracing::warn!(%error, "an upload is left to the next attempt");
        }
        if self.run.last_attempt {
            let ended = async {
                let mut tx = self.run.begin(self.services).await?;
                end(&mut tx, self.draft, Some(&failure(error).code)).await?;
                tx.commit().await
            };
            // What cannot be noted now is found by the sweep, which also clears.
            if let Err(error) = ended.await {
                tracing::warn!(%error, "an export's end is left to the sweep");
            }
        }
    }
}
