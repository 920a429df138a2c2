//! From the database through a file's format into the object store, in constant memory: a task reads lines, a thread of its
//! own makes the file of them, a task sends its parts. Each waits for the next; whoever fails ends the others.

use std::{
    io::{self, Read},
    sync::{Arc, atomic::Ordering},
};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use permanence_domain::{
    Error,
    error::Result,
    exports::{Draft, Kind, Snapshot, Written},
    storage::{ObjectKey, Part, Storage, UploadId},
};
use tokio::sync::mpsc;

use super::{
    attempt::{Gauge, Source},
    file::{Facts, write_file},
    upload::{Parts, upload},
};

/// Lines that go to the thread at once, and how many such chunks may wait for it.
const CHUNK_BYTES: usize = 256 * 1024;
const CHUNKS: usize = 2;

/// One file on its way.
pub(super) struct Pour {
    facts: Facts,
    snapshot: Snapshot,
    rows: Arc<Gauge>,
}

impl Pour {
    /// The rows of a moment, of which there are so many.
    pub(super) fn new(draft: &Draft, snapshot: Snapshot, rows: i64, at: DateTime<Utc>) -> Self {
        let facts = Facts {
            kind: draft.kind.kind(),
            format: draft.format,
            profile: draft.profile,
            filters: draft.filters.clone(),
            stem: draft.stem.clone(),
            rows,
            at,
        };
        Self { facts, snapshot, rows: Arc::new(Gauge::up_to(rows)) }
    }
}

impl Source for Pour {
    fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.rows)
    }

    async fn pour(
        self,
        storage: &Storage,
        key: &ObjectKey,
        begun: &UploadId,
    ) -> Result<(Written, Vec<Part>)> {
        let (to_thread, chunks) = mpsc::channel(CHUNKS);
        let (kind, facts, rows) = (self.facts.kind, self.facts, self.rows);
        let write = move |parts| make(&facts, chunks, parts, &rows);
        upload(storage, key, begun, feed(self.snapshot, kind, to_thread), write).await
    }
}

/// Reads the rows' lines in chunks; an empty one says that there are no more.
async fn feed(mut snapshot: Snapshot, kind: &Kind, to_thread: mpsc::Sender<Vec<u8>>) -> Result<()> {
    {
        let rows = snapshot.rows(kind).await?;
        tokio::pin!(rows);
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        while let Some(line) = rows.try_next().await? {
            let line = line.as_ref();
            if chunk.len() + line.len() > CHUNK_BYTES && !chunk.is_empty() {
                let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_BYTES));
                pass(&to_thread, full).await?;
            }
            chunk.extend_from_slice(line);
        }
        if !chunk.is_empty() {
            pass(&to_thread, chunk).await?;
        }
    }
    pass(&to_thread, Vec::new()).await?;
    snapshot.close().await
}

async fn pass(to_thread: &mpsc::Sender<Vec<u8>>, chunk: Vec<u8>) -> Result<()> {
    to_thread.send(chunk).await.map_err(|_| Error::internal("the file could not be made of the rows"))
}

/// The thread's work.
fn make(facts: &Facts, chunks: mpsc::Receiver<Vec<u8>>, parts: Parts, rows: &Gauge) -> io::Result<Written> {
    let lines = Lines { chunks, chunk: Vec::new(), read: 0, ended: false };
    write_file(facts, lines, parts, &rows.done)?.finish(rows.done.load(Ordering::Relaxed))
}

/// The lines as a reader. Chunks that stop without the empty one are no end but a failure.
struct Lines {
    chunks: mpsc::Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    read: usize,
    ended: bool,
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.chunk.len() && !self.ended {
            self.chunk = self.chunks.blocking_recv().ok_or(io::ErrorKind::UnexpectedEof)?;
            self.read = 0;
            self.ended = self.chunk.is_empty();
        }
        let count = (&self.chunk[self.read..]).read(into)?;
        self.read += count;
        Ok(count)
    }
}
