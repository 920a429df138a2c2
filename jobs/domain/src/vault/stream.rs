//! Files that are too large to be sealed whole: frame after frame, each bound to its number, the last one empty. What is cut
//! short, put in another order or taken from another file does not open.

use std::io::{self, Write};

use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::Zeroizing;

use super::{Place, Sealed, SubjectKey};
use crate::error::{Error, Result};

/// What one frame holds, opened.
const FRAME_BYTES: usize = 256 * 1024;
/// What sealing adds to it: format, nonce, tag.
const SEAL_BYTES: usize = 29;

/// Seals what is written to it. Without [`SealedWriter::finish`] there is no end, and nobody opens it.
#[derive(Debug)]
pub struct SealedWriter<W> {
    out: W,
    key: SubjectKey,
    place: Place,
    frame: Zeroizing<Vec<u8>>,
}

impl<W: Write> SealedWriter<W> {
    /// Seals for this place, whose version counts the frames from here on.
    pub fn new(out: W, key: SubjectKey, place: Place) -> Self {
        Self { out, key, place, frame: Zeroizing::new(Vec::with_capacity(FRAME_BYTES)) }
    }

    /// Seals the rest and the end, and gives back where it went.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.frame.is_empty() {
            self.pass()?;
        }
        self.pass()?;
        Ok(self.out)
    }

    fn pass(&mut self) -> io::Result<()> {
        let Sealed(sealed) = self.key.seal(&self.place, &self.frame).map_err(io::Error::other)?;
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&sealed)?;
        self.place.version = self.place.version.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        self.frame.clear();
        Ok(())
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(FRAME_BYTES - self.frame.len());
        self.frame.extend_from_slice(&bytes[..taken]);
        if self.frame.len() == FRAME_BYTES {
            self.pass()?;
        }
        Ok(taken)
    }

    /// Frames have their size: nothing goes before its time.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens what a [`SealedWriter`] sealed for this place, frame by frame. A failure is the last item.
pub fn opened<R: AsyncRead + Unpin + Send>(
    sealed: R,
    key: SubjectKey,
    place: Place,
) -> impl Stream<Item = Result<Vec<u8>>> + Send {
    stream::try_unfold(Some((sealed, key, place)), async |state| {
        let Some((mut sealed, key, mut place)) = state else { return Ok(None) };
        let frame = open_next(&mut sealed, &key, &place).await?;
        place.version = place.version.checked_add(1).ok_or_else(|| Error::internal("too many frames"))?;
        // The empty frame is the end, and nothing may follow it.
        if frame.is_empty() {
            return match sealed.read(&mut [0]).await {
                Ok(0) => Ok(None),
                _ => Err(Error::internal("something follows the end of a sealed file")),
            };
        }
        Ok(Some((frame.to_vec(), Some((sealed, key, place)))))
    })
}

async fn open_next<R: AsyncRead + Unpin>(
    sealed: &mut R,
    key: &SubjectKey,
    place: &Place,
) -> Result<Zeroizing<Vec<u8>>> {
    let cut = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::internal("a sealed file is cut short"),
        _ => Error::Unavailable { what: "object store", source: error.into() },
    };
    let length = sealed.read_u32().await.map_err(cut)? as usize;
    if length > FRAME_BYTES + SEAL_BYTES {
        return Err(Error::internal("a frame of a sealed file is too long"));
    }
    let mut frame = vec![0; length];
    sealed.read_exact(&mut frame).await.map_err(cut)?;
    key.open(place, &Sealed(frame))
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use uuid::Uuid;

    use super::*;
    use crate::{ids::TenantId, vault::Key};

    fn place() -> Place {
        Place { tenant: TenantId(Uuid::from_u128(1)), table: "files", row: Uuid::from_u128(2), version: 1 }
    }

    fn keys() -> (SubjectKey, SubjectKey) {
        let key = Key::random().unwrap();
        let same = Key::of(key.bytes()).unwrap();
        (SubjectKey { key }, SubjectKey { key: same })
    }

    async fn open(sealed: &[u8], key: SubjectKey, place: Place) -> Result<Vec<u8>> {
        let frames: Vec<Vec<u8>> = opened(sealed, key, place).try_collect().await?;
        Ok(frames.concat())
    }

    #[tokio::test]
    async fn what_was_sealed_opens_whatever_its_length() {
        for length in [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES + 7] {
            let plain: Vec<u8> = (0..=255).cycle().take(length).collect();
            let (key, same) = keys();
            let mut writer = SealedWriter::new(Vec::new(), key, place());
            writer.write_all(&plain).unwrap();
            let sealed = writer.finish().unwrap();
            assert!(open(&sealed, same, place()).await.unwrap() == plain, "{length} bytes");
        }
    }

    #[tokio::test]
    async fn what_is_cut_moved_or_mixed_does_not_open() {
        let sealed = |key| {
            let mut writer = SealedWriter::new(Vec::new(), key, place());
            writer.write_all(&vec![7; 2 * FRAME_BYTES]).unwrap();
            writer.finish().unwrap()
        };
        let one = 4 + FRAME_BYTES + SEAL_BYTES;
        for change in
            ["cut within", "cut at a frame", "frames exchanged", "something follows", "another place"]
        {
            let (key, same) = keys();
            let (mut bytes, mut at) = (sealed(key), place());
            match change {
                "cut within" => bytes.truncate(one + 9),
                "cut at a frame" => bytes.truncate(2 * one),
                "frames exchanged" => bytes[..2 * one].rotate_left(one),
                "something follows" => bytes.push(0),
                _ => at.row = Uuid::from_u128(3),
            }
            assert!(open(&bytes, same, at).await.is_err(), "{change}");
        }
    }
}
