//! From the object store through the parser to the stage, in constant memory: a task reads and opens bytes, a thread of its own
//! parses them, and whoever takes what is found sets the pace.

use std::io::{self, Read};

use permanence_domain::{
    Error,
    error::Result,
    import::{Found, Stopped, read_dump},
    storage::{ObjectKey, Storage},
    vault::{ContentKey, Opening},
};
use tokio::{io::AsyncBufRead, sync::mpsc};

/// Opened chunks that may wait for the thread.
pub(super) const CHUNKS: usize = 8;
/// What is found and taken at once.
const BATCH: usize = 500;

/// Begins to read a dump: gives what is found, batch by batch, and the work that has to go on meanwhile.
pub(super) async fn pass(
    storage: &Storage,
    dump: &ObjectKey,
    key: &ContentKey,
) -> Result<(mpsc::Receiver<Vec<Found>>, impl Future<Output = Result<()>> + use<>)> {
    let (to_thread, chunks) = mpsc::channel(CHUNKS);
    let (to_taker, batches) = mpsc::channel(1);
    let source = key.open(storage.read(dump).await?).await?;
    // It ends by itself when a channel does.
    let thread = tokio::task::spawn_blocking(move || parse(Bytes::of(chunks), &to_taker));
    let passing = async {
        let parsing = async { thread.await.map_err(Error::internal) };
        tokio::try_join!(feed(source, to_thread), parsing).map(drop)
    };
    Ok((batches, passing))
}

/// Sends the bytes in chunks; an empty one says that there are no more, and that they were whole.
async fn feed(
    mut source: Opening<impl AsyncBufRead + Unpin>,
    to_thread: mpsc::Sender<Vec<u8>>,
) -> Result<()> {
    while let Some(chunk) = source.next().await? {
        // A parser that wants no more has found what it cannot read, and told it.
        if !chunk.is_empty() && to_thread.send(chunk).await.is_err() {
            return Ok(());
        }
    }
    // The same.
    let _ = to_thread.send(Vec::new()).await;
    Ok(())
}

fn parse(bytes: Bytes, to_taker: &mpsc::Sender<Vec<Found>>) {
    let mut batch = Vec::new();
    read_dump(bytes, &mut |found| {
        batch.push(found);
        if batch.len() < BATCH {
            return Ok(());
        }
        to_taker.blocking_send(std::mem::take(&mut batch)).map_err(|_| Stopped)
    });
    // Whoever takes no more has failed, and says so.
    let _ = to_taker.blocking_send(batch);
}

/// The bytes as a reader. Chunks that stop without the empty one are no end but a failure.
pub(super) struct Bytes {
    chunks: mpsc::Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    read: usize,
    ended: bool,
}

impl Bytes {
    pub(super) fn of(chunks: mpsc::Receiver<Vec<u8>>) -> Self {
        Self { chunks, chunk: Vec::new(), read: 0, ended: false }
    }
}

impl Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.chunk.len() && !self.ended {
            self.chunk = self.chunks.blocking_recv().ok_or(io::ErrorKind::BrokenPipe)?;
            self.read = 0;
            self.ended = self.chunk.is_empty();
        }
        let count = Read::read(&mut &self.chunk[self.read..], into)?;
        self.read += count;
        Ok(count)
    }
}
