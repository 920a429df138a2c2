//! From the database through a file's format into the object store, in constant memory: a task reads lines, a thread of its
//! own makes the file of them, a task sends its parts. Each waits for the next; whoever fails ends the others.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use permanence_domain::{
    Error,
    error::Result,
    exports::{Draft, Kind, Snapshot, Written},
    storage::{ObjectKey, PART_BYTES, Part, Storage, UploadId},
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::file::{Facts, write_file};

/// Lines that go to the thread at once, and how many such chunks may wait for it.
const CHUNK_BYTES: usize = 256 * 1024;
const CHUNKS: usize = 2;
/// Parts that may wait to be sent, besides the one that is made and the one that is being sent.
const PARTS: usize = 1;

/// One file on its way.
pub(super) struct Pour<'a> {
    draft: &'a Draft,
    facts: Facts,
    rows: Arc<AtomicI64>,
}

impl<'a> Pour<'a> {
    pub(super) fn new(draft: &'a Draft, rows: i64, at: DateTime<Utc>) -> Self {
        let facts = Facts {
            kind: draft.kind.kind(),
            format: draft.format,
            profile: draft.profile,
            filters: draft.filters.clone(),
            stem: draft.stem.clone(),
            rows,
            at,
        };
        Self { draft, facts, rows: Arc::default() }
    }

    /// Rows written so far.
    pub(super) fn rows(&self) -> i64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Pours all of it; what was sent is a file once the upload is completed.
    pub(super) async fn run(
        &self,
        snapshot: Snapshot,
        storage: &Storage,
        upload: &UploadId,
    ) -> Result<(Written, Vec<Part>)> {
        let (to_thread, chunks) = mpsc::channel(CHUNKS);
        let (to_store, parts) = mpsc::channel(PARTS);
        let (facts, rows) = (self.facts.clone(), Arc::clone(&self.rows));
        // It ends by itself when a channel does: at most a part is made in vain.
        let thread = tokio::task::spawn_blocking(move || make(&facts, chunks, to_store, &rows));
        let making = async {
            let made = thread.await.map_err(Error::internal)?;
            made.map_err(Error::internal)
        };
        let ((), parts, written) = tokio::try_join!(
            feed(snapshot, self.facts.kind, to_thread),
            send(storage, &self.draft.key, upload, parts),
            making,
        )?;
        Ok((written, parts))
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

async fn send(
    storage: &Storage,
    key: &ObjectKey,
    upload: &UploadId,
    mut parts: mpsc::Receiver<Vec<u8>>,
) -> Result<Vec<Part>> {
    let mut sent = Vec::new();
    while let Some(part) = parts.recv().await {
        let number = i32::try_from(sent.len() + 1).map_err(Error::internal)?;
        sent.push(storage.upload_part(key, upload, number, part).await?);
    }
    Ok(sent)
}

/// The thread's work.
fn make(
    facts: &Facts,
    chunks: mpsc::Receiver<Vec<u8>>,
    to_store: mpsc::Sender<Vec<u8>>,
    rows: &AtomicI64,
) -> io::Result<Written> {
    let lines = Lines { chunks, chunk: Vec::new(), read: 0, ended: false };
    let parts = Parts { to_store, part: Vec::new(), sent: 0, hash: Sha256::new() };
    write_file(facts, lines, parts, rows)?.finish(rows.load(Ordering::Relaxed))
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

/// A writer that sends what it is given in parts, and sums it up.
pub(super) struct Parts {
    to_store: mpsc::Sender<Vec<u8>>,
    part: Vec<u8>,
    sent: usize,
    hash: Sha256,
}

impl Parts {
    fn pass(&mut self, next: Vec<u8>) -> io::Result<()> {
        let part = std::mem::replace(&mut self.part, next);
        self.hash.update(&part);
        self.sent += part.len();
        self.to_store.blocking_send(part).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Sends the rest.
    fn finish(mut self, rows: i64) -> io::Result<Written> {
        if !self.part.is_empty() {
            self.pass(Vec::new())?;
        }
        let size_bytes = i64::try_from(self.sent).map_err(io::Error::other)?;
        Ok(Written { rows, size_bytes, sha256: self.hash.finalize().into() })
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.len() == PART_BYTES {
            self.pass(Vec::with_capacity(PART_BYTES))?;
        }
        let taken = bytes.len().min(PART_BYTES - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Parts have their size: nothing goes before its time.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
