//! A file on its way into the object store in constant memory: a thread of its own makes it, a task sends its parts. Each
//! waits for the other; whoever fails ends both. Knows nothing of what is in the file.

use std::io::{self, Write};

use permanence_domain::{
    Error,
    error::Result,
    exports::Written,
    storage::{ObjectKey, PART_BYTES, Part, Storage, UploadId},
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

/// Parts that may wait to be sent, besides the one that is made and the one that is being sent.
const PARTS: usize = 1;

/// Has a thread write a file and sends what it writes; `feed` gives the thread what it waits for.
pub(crate) async fn upload(
    storage: &Storage,
    key: &ObjectKey,
    upload: &UploadId,
    feed: impl Future<Output = Result<()>> + Send,
    write: impl FnOnce(Parts) -> io::Result<Written> + Send + 'static,
) -> Result<(Written, Vec<Part>)> {
    let (to_store, parts) = mpsc::channel(PARTS);
    // It ends by itself when a channel does: at most a part is made in vain.
    let thread = tokio::task::spawn_blocking(move || {
        write(Parts { to_store, part: Vec::new(), sent: 0, hash: Sha256::new() })
    });
    let making = async {
        let made = thread.await.map_err(Error::internal)?;
        made.map_err(Error::internal)
    };
    let ((), parts, written) = tokio::try_join!(feed, send(storage, key, upload, parts), making)?;
    Ok((written, parts))
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

/// A writer that sends what it is given in parts, and sums it up.
pub(crate) struct Parts {
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
    pub(crate) fn finish(mut self, rows: i64) -> io::Result<Written> {
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
