//! One attempt at a file, whatever is in it: what the one before left is cleared, the upload is noted before it is used, the
//! progress is told, and the end of file and job is one transaction. Never reads what it writes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use permanence_domain::{
    Error,
    error::Result,
    exports::{End, Leftover, Turn, Written, cleared, complete, end, note_upload},
    storage::{ObjectKey, Part, Storage, UploadId},
};
use permanence_queue::{Failure, Progress, complete_in, report_progress};
use tokio::time::sleep;

use super::clear_export::clear;
use crate::{
    perform::{Outcome, Run, Watch, failure, insist},
    services::Services,
};

/// How often the progress is told, and so how soon a lost lease is felt.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How far a file is.
#[derive(Debug)]
pub(crate) struct Gauge {
    pub(crate) done: AtomicI64,
    total: i64,
}

impl Gauge {
    /// Nothing yet, of so much.
    pub(crate) fn up_to(total: i64) -> Self {
        Self { done: AtomicI64::new(0), total }
    }
}

/// What a file is made of, once it is known to be possible.
pub(crate) trait Source: Send {
    /// How far it is, while it is poured.
    fn gauge(&self) -> Arc<Gauge>;

    /// Pours all of it; what was sent is a file once the upload is completed.
    fn pour(
        self,
        storage: &Storage,
        key: &ObjectKey,
        upload: &UploadId,
    ) -> impl Future<Output = Result<(Written, Vec<Part>)>> + Send;
}

/// What came of looking at what is to be written.
pub(crate) enum Opened<S> {
    /// It can be.
    Ready(S),
    /// It never can, for this reason.
    Refused(&'static str),
}

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

/// One attempt at a file.
pub(crate) struct Attempt<'a> {
    turn: &'a Turn,
    run: Run,
    watch: &'a Watch,
    services: &'a Services,
    storage: &'a Storage,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(turn: &'a Turn, run: Run, watch: &'a Watch, services: &'a Services) -> Result<Self> {
        Ok(Self { turn, run, watch, services, storage: services.storage()? })
    }

    /// Writes what `opening` finds, and ends file and job.
    pub(crate) async fn carry_out<S: Source>(
        &self,
        content_type: &str,
        opening: impl Future<Output = Result<Opened<S>>> + Send,
    ) -> Result<Outcome> {
        if let Some(left) = &self.turn.left {
            clear(self.storage, left).await?;
        }
        let mut upload = None;
        match self.write(content_type, opening, &mut upload).await {
            Ok(Ended::Completed) => Ok(Outcome::Completed),
            Ok(Ended::Overtaken) => {
                self.clear(upload).await?;
                Ok(Outcome::Cancel("it was removed, or another attempt is at it".to_owned()))
            }
            Ok(Ended::Cancelled) => {
                self.end(upload, None).await?;
                Ok(Outcome::Cancel("cancelled while it was written".to_owned()))
            }
            Ok(Ended::Refused(code)) => {
                self.end(upload, Some(code)).await?;
                Ok(Outcome::Discard(Failure::new(code, "the format does not hold so many rows")))
            }
            Err(error) => {
                self.give_up(upload, &error).await;
                Err(error)
            }
        }
    }

    async fn write<S: Source>(
        &self,
        content_type: &str,
        opening: impl Future<Output = Result<Opened<S>>> + Send,
        upload: &mut Option<UploadId>,
    ) -> Result<Ended> {
        let source = match opening.await? {
            Opened::Ready(source) => source,
            Opened::Refused(code) => return Ok(Ended::Refused(code)),
        };
        let key = &self.turn.key;
        let id = upload.insert(self.storage.begin_upload(key, content_type).await?);
        let mut tx = self.run.begin(self.services).await?;
        let noted = note_upload(&mut tx, self.turn, id).await?;
        tx.commit().await?;
        if !noted {
            return Ok(Ended::Overtaken);
        }
        let gauge = source.gauge();
        let (written, parts) = tokio::select! {
            poured = source.pour(self.storage, key, id) => poured?,
            ended = self.watch(&gauge) => return ended,
        };
        self.storage.complete_upload(key, id, &parts).await?;
        if let Err(permanence_queue::Error::StaleLease) = self.tell(written.rows, gauge.total).await {
            return Ok(Ended::Overtaken);
        }
        self.complete(&written).await
    }

    /// Tells the progress until the attempt should stop.
    async fn watch(&self, gauge: &Gauge) -> Result<Ended> {
        loop {
            let cancelled = tokio::select! {
                () = sleep(TELL_EVERY) => false,
                () = self.watch.cancelled.cancelled() => true,
            };
            match self.tell(gauge.done.load(Ordering::Relaxed), gauge.total).await {
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
            let end = complete(&mut tx, self.turn, written).await?;
            if end == End::Now {
                let clock = tx.clock();
                let output = serde_json::json!({ "export_id": self.turn.id, "rows": written.rows });
                complete_in(tx.conn(), &*clock, &self.watch.lease, Some(output)).await?;
            }
            tx.commit().await?;
            Ok(end)
        });
        Ok(if end.await? == End::Overtaken { Ended::Overtaken } else { Ended::Completed })
    }

    /// What this attempt may have in the object store.
    fn left(&self, upload: Option<UploadId>) -> Leftover {
        Leftover { key: self.turn.key.clone(), upload }
    }

    async fn clear(&self, upload: Option<UploadId>) -> Result<()> {
        clear(self.storage, &self.left(upload)).await
    }

    /// The export came to nothing: that is noted, then nothing is left of it.
    async fn end(&self, upload: Option<UploadId>, failure: Option<&str>) -> Result<()> {
        let mut tx = self.run.begin(self.services).await?;
        let ended = end(&mut tx, self.turn, failure).await?;
        tx.commit().await?;
        self.clear(upload).await?;
        if ended {
            let mut tx = self.run.begin(self.services).await?;
            cleared(&mut tx, self.turn.id).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Trouble: the upload is given up if the store can be reached, else by whoever comes next.
    async fn give_up(&self, upload: Option<UploadId>, error: &Error) {
        if let Some(upload) = upload
            && let Err(error) = self.storage.abort_upload(&self.turn.key, &upload).await
        {
            tracing::warn!(%error, "an upload is left to the next attempt");
        }
        if self.run.last_attempt {
            let ended = async {
                let mut tx = self.run.begin(self.services).await?;
                end(&mut tx, self.turn, Some(&failure(error).code)).await?;
                tx.commit().await
            };
            // What cannot be noted now is found by the sweep, which also clears.
            if let Err(error) = ended.await {
                tracing::warn!(%error, "an export's end is left to the sweep");
            }
        }
    }
}
