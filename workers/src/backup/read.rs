//! Reading a backup: the object opened chunk by chunk on its way to whoever wants the archive, its size and hash compared with what
//! the manifest says. What is cut, changed, or under another key is an error before its end, never a shorter archive.

use std::{
    io::Write,
    pin::Pin,
    task::{Context, Poll, ready},
};

use permanence_domain::{
    Error,
    backup::Manifest,
    error::Result,
    storage::Storage,
    vault::{BackupKeys, ContentKey},
};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf},
    sync::mpsc,
};

use super::{Programs, program::Running};

/// Chunks that may wait for the program that reads them.
const CHUNKS: usize = 16;

/// Reads a backup whole: its manifest is as it was marked, its object is as it was written, and the archive in it reads to its end.
/// Nothing is restored.
pub async fn check(
    storage: &Storage,
    keys: &BackupKeys,
    programs: &Programs,
    manifest: &Manifest,
) -> Result<()> {
    let key = manifest.key(keys)?;
    let program = programs.restore(None).map_err(Error::internal)?;
    pour(storage, &key, manifest, program).await
}

/// Opens the backup into a program and waits for its end.
pub(super) async fn pour(
    storage: &Storage,
    key: &ContentKey,
    manifest: &Manifest,
    mut program: Running,
) -> Result<()> {
    let (to_program, mut chunks) = mpsc::channel::<Vec<u8>>(CHUNKS);
    let mut input = program.input().map_err(Error::internal)?;
    // A thread of its own: the program may read slowly, and its end tells why it stopped reading.
    let feeding = tokio::task::spawn_blocking(move || {
        let mut fed = Ok(());
        let mut whole = false;
        while let Some(chunk) = chunks.blocking_recv() {
            whole = chunk.is_empty();
            fed = input.write_all(&chunk);
            if fed.is_err() {
                break;
            }
        }
        if !whole && fed.is_ok() {
            // It was not whole: the program is killed, so that it never sees an end.
            return Ok(());
        }
        drop(input);
        program.finish().and(fed)
    });
    let opened = open(storage, key, manifest, to_program).await;
    let fed = feeding.await.map_err(Error::internal)?.map_err(Error::internal);
    match opened {
        // The program ended first: it says why.
        Err(Stopped::Unread) => {
            fed.and(Err(Error::internal("the program that reads the archive ended early")))
        }
        Err(Stopped::Broken(error)) => Err(error),
        Ok(()) => fed,
    }
}

enum Stopped {
    /// Nobody reads any more.
    Unread,
    /// The backup is not as it was written, or the store is away.
    Broken(Error),
}

/// Opens all of the object; an empty chunk at the end says that it was whole.
async fn open(
    storage: &Storage,
    key: &ContentKey,
    manifest: &Manifest,
    to_program: mpsc::Sender<Vec<u8>>,
) -> Result<(), Stopped> {
    let broken = Stopped::Broken;
    let object = match storage.read(&manifest.dump().map_err(broken)?).await {
        Ok(object) => Hashed::new(object),
        Err(Error::NotFound(_)) => {
            return Err(broken(Error::conflict(
                "backup_missing",
                "the backup's manifest is there, its dump is not",
            )));
        }
        Err(error) => return Err(broken(error)),
    };
    let mut opening = key.open(BufReader::new(object)).await.map_err(|error| broken(changed(error)))?;
    while let Some(chunk) = opening.next().await.map_err(|error| broken(changed(error)))? {
        // Only the end is told by an empty one.
        if !chunk.is_empty() {
            to_program.send(chunk).await.map_err(|_| Stopped::Unread)?;
        }
    }
    let (size, hash) = opening.into_inner().into_inner().sum();
    if (size, hash) != (manifest.size_bytes, manifest.sha256.clone()) {
        return Err(broken(changed(Error::internal("its size or hash is another"))));
    }
    to_program.send(Vec::new()).await.map_err(|_| Stopped::Unread)
}

/// A store that is away is told as it is; anything else is a backup that is not as it was written.
fn changed(error: Error) -> Error {
    match error {
        Error::Unavailable { .. } => error,
        _ => Error::conflict("backup_changed", "the backup is cut short or was changed: it does not open"),
    }
}

/// A reader that sums up what passes.
struct Hashed<R> {
    inner: R,
    size: i64,
    hash: Sha256,
}

impl<R> Hashed<R> {
    fn new(inner: R) -> Self {
        Self { inner, size: 0, hash: Sha256::new() }
    }

    fn sum(self) -> (i64, String) {
        (self.size, hex::encode(self.hash.finalize()))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Hashed<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        let passed = &buffer.filled()[before..];
        self.size += i64::try_from(passed.len()).map_err(std::io::Error::other)?;
        self.hash.update(passed);
        Poll::Ready(Ok(()))
    }
}
