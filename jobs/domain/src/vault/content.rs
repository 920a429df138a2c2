//! The key of one file, and the file sealed under it: chunk by chunk, in the STREAM construction (Hoang, Reyhanitabar, Rogaway,
//! Vizár 2015), so that a file of any size passes through a little memory, and one that is cut, reordered or mixed with another
//! does not open.

use std::io::{Read, Write};

use aead_stream::{DecryptorBE32, EncryptorBE32, NewStream, StreamBE32};
use aes_gcm::{Aes256Gcm, aead::KeyInit};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use zeroize::Zeroizing;

use super::{Key, Place, Sealed, SubjectKey};
use crate::{
    crypto::{mac, random_bytes},
    error::{Error, Result},
};

/// Bytes of a chunk before it is sealed; the last one may have fewer.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
/// What is left of a nonce beside the chunk's number and whether it is the last.
const NONCE: usize = 7;
/// First byte of a sealed file: how to read it.
const FORMAT: u8 = 1;

/// The key of one file. It seals that file once, and is itself kept sealed under a subject's key.
#[derive(Debug)]
pub struct ContentKey(Key);

impl ContentKey {
    /// A key that nobody had before.
    pub fn random() -> Result<Self> {
        Key::random().map(Self)
    }

    /// This key, sealed for the row that it is kept in: whoever destroys the subject's key destroys it too.
    pub fn sealed(&self, key: &SubjectKey, place: &Place) -> Result<Sealed> {
        key.seal(place, self.0.bytes())
    }

    /// A key as it was kept.
    pub fn opened(key: &SubjectKey, place: &Place, sealed: &Sealed) -> Result<Self> {
        Key::of(&key.open(place, sealed)?).map(Self)
    }

    pub(super) fn of(key: Key) -> Self {
        Self(key)
    }

    pub(super) fn key(&self) -> &Key {
        &self.0
    }

    /// The same key for a thread of its own.
    #[must_use]
    pub fn shared(&self) -> Self {
        Self(self.0.shared())
    }

    /// Marks what is said of the file it seals: nobody without the key can say otherwise.
    pub fn mark(&self, said: &[u8]) -> Result<Vec<u8>> {
        mac(self.0.bytes(), &[b"what is said of a sealed file", said])
    }

    fn stream(&self, nonce: [u8; NONCE]) -> StreamBE32<Aes256Gcm> {
        StreamBE32::from_aead(Aes256Gcm::new(self.0.bytes().into()), &nonce.into())
    }

    /// Seals all that a reader gives.
    pub fn seal(&self, mut plain: impl Read, mut sealed: impl Write) -> Result<()> {
        let nonce = random_bytes::<NONCE>()?;
        sealed.write_all(&[FORMAT]).and_then(|()| sealed.write_all(&nonce)).map_err(Error::internal)?;
        let broken = |_| Error::internal("sealing a file failed");
        let mut encryptor = EncryptorBE32::from_stream_primitive(self.stream(nonce));
        let (mut chunk, mut next) = (filled(&mut plain)?, filled(&mut plain)?);
        // Only the reader's end tells which chunk is the last.
        while !next.is_empty() {
            let body = encryptor.encrypt_next(&chunk[..]).map_err(broken)?;
            sealed.write_all(&body).map_err(Error::internal)?;
            chunk = std::mem::replace(&mut next, filled(&mut plain)?);
        }
        let body = encryptor.encrypt_last(&chunk[..]).map_err(broken)?;
        sealed.write_all(&body).and_then(|()| sealed.flush()).map_err(Error::internal)
    }

    /// Begins to open what was sealed.
    pub async fn open<R: AsyncBufRead + Unpin>(&self, mut sealed: R) -> Result<Opening<R>> {
        let mut head = [0; 1 + NONCE];
        sealed.read_exact(&mut head).await.map_err(unread)?;
        let [format, nonce @ ..] = head;
        if format != FORMAT {
            return Err(broken());
        }
        let decryptor = DecryptorBE32::from_stream_primitive(self.stream(nonce));
        Ok(Opening { sealed, decryptor: Some(decryptor) })
    }
}

/// As much as fits into a chunk; nothing at the end.
fn filled(plain: &mut impl Read) -> Result<Zeroizing<Vec<u8>>> {
    let mut chunk = Zeroizing::new(Vec::with_capacity(CHUNK));
    plain.take(CHUNK as u64).read_to_end(&mut chunk).map_err(Error::internal)?;
    Ok(chunk)
}

fn broken() -> Error {
    Error::internal("a sealed file does not open")
}

/// Whatever ends before it should was cut; anything else may go well another time.
fn unread(error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return broken();
    }
    Error::Unavailable { what: "object store", source: error.into() }
}

/// A sealed file that is being read.
pub struct Opening<R> {
    sealed: R,
    /// Gone once the last chunk was opened.
    decryptor: Option<DecryptorBE32<Aes256Gcm>>,
}

impl<R> std::fmt::Debug for Opening<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opening(…)")
    }
}

impl<R> Opening<R> {
    /// What it was read from.
    pub fn into_inner(self) -> R {
        self.sealed
    }
}

impl<R: AsyncBufRead + Unpin> Opening<R> {
    /// The next chunk; `None` once all of them were whole and in their order. After an error nothing more comes.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(mut decryptor) = self.decryptor.take() else { return Ok(None) };
        let mut chunk = Vec::with_capacity(CHUNK + TAG);
        let size = (CHUNK + TAG) as u64;
        (&mut self.sealed).take(size).read_to_end(&mut chunk).await.map_err(unread)?;
        let last = self.sealed.fill_buf().await.map_err(unread)?.is_empty();
        if last {
            return decryptor.decrypt_last(&chunk[..]).map(Some).map_err(|_| broken());
        }
        let plain = decryptor.decrypt_next(&chunk[..]).map_err(|_| broken())?;
        self.decryptor = Some(decryptor);
        Ok(Some(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &ContentKey, plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        key.seal(plain, &mut sealed).unwrap();
        sealed
    }

    async fn opened(key: &ContentKey, sealed: &[u8]) -> Result<Vec<u8>> {
        let (mut opening, mut plain) = (key.open(sealed).await?, Vec::new());
        while let Some(chunk) = opening.next().await? {
            assert!(chunk.len() <= CHUNK);
            plain.extend(chunk);
        }
        Ok(plain)
    }

    fn long() -> Vec<u8> {
        (0..3 * CHUNK + 100).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_file_of_any_size_comes_back_as_it_was() {
        let key = ContentKey::random().unwrap();
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 100] {
            let plain = &long()[..size];
            assert_eq!(opened(&key, &sealed(&key, plain)).await.unwrap(), plain, "{size}");
        }
        assert!(opened(&ContentKey::random().unwrap(), &sealed(&key, b"x")).await.is_err(), "another key");
    }

    #[tokio::test]
    async fn what_is_flipped_cut_lengthened_reordered_or_mixed_is_an_error() {
        let key = ContentKey::random().unwrap();
        let whole = sealed(&key, &long());
        let chunk = |n: usize| 1 + NONCE + n * (CHUNK + TAG);
        for byte in (0..1 + NONCE + 40).chain([chunk(1), chunk(2) - 1, chunk(3), whole.len() - 1]) {
            let mut changed = whole.clone();
            changed[byte] ^= 1;
            assert!(opened(&key, &changed).await.is_err(), "byte {byte}");
        }
        for length in [0, 1, 1 + NONCE, chunk(1) - 1, chunk(1), chunk(2), chunk(3), whole.len() - 1] {
            assert!(opened(&key, &whole[..length]).await.is_err(), "cut to {length}");
        }
        assert!(opened(&key, &[&whole[..], b"x"].concat()).await.is_err());
        let (head, one, two) = (&whole[..chunk(0)], &whole[chunk(0)..chunk(1)], &whole[chunk(1)..chunk(2)]);
        let rest = &whole[chunk(2)..];
        assert_eq!(opened(&key, &[head, one, two, rest].concat()).await.unwrap(), long());
        assert!(opened(&key, &[head, two, one, rest].concat()).await.is_err(), "reordered");
        assert!(opened(&key, &[head, one, one, rest].concat()).await.is_err(), "repeated");
        assert!(opened(&key, &[head, one, rest].concat()).await.is_err(), "left out");
        let other = sealed(&key, &long());
        let theirs = &other[chunk(1)..chunk(2)];
        assert!(opened(&key, &[head, one, theirs, rest].concat()).await.is_err(), "another file's");
    }
}
