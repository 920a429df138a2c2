//! One key of AES-256-GCM, and what it seals. A key leaves memory overwritten and is never printed.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use zeroize::Zeroizing;

use super::Place;
use crate::{
    crypto::random_bytes,
    error::{Error, Result},
};

const NONCE: usize = 12;
/// First byte of what is sealed: how to read it.
const FORMAT: u8 = 1;

/// A key of 256 bits.
pub struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Format, nonce, ciphertext and tag, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl Key {
    /// A key that nobody had before.
    pub fn random() -> Result<Self> {
        Ok(Self(Zeroizing::new(random_bytes()?)))
    }

    pub(super) fn of(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes.try_into().map_err(|_| Error::internal("a key is not 32 bytes"))?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    pub(super) fn shared(&self) -> Self {
        Self(self.0.clone())
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a text for one place under a fresh random nonce. A key seals far fewer than the 2³² texts after which NIST
    /// SP 800-38D wants another.
    pub fn seal(&self, place: &Place, plain: &[u8]) -> Result<Sealed> {
        let nonce = random_bytes::<NONCE>()?;
        let body = self
            .cipher()
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &place.bytes() })
            .map_err(|_| Error::internal("sealing failed"))?;
        Ok(Sealed([&[FORMAT][..], &nonce, &body].concat()))
    }

    /// Opens what was sealed for this place. A changed bit, or a text moved from another place, is an error.
    pub fn open(&self, place: &Place, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        let broken = || Error::internal(format!("what was sealed for {} does not open", place.table));
        let (format, rest) = sealed.0.split_first().ok_or_else(broken)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE>().ok_or_else(broken)?;
        if *format != FORMAT {
            return Err(broken());
        }
        let payload = Payload { msg: body, aad: &place.bytes() };
        self.cipher().decrypt(&Nonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| broken())
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::ids::TenantId;

    fn place() -> Place {
        Place { tenant: TenantId(Uuid::from_u128(1)), table: "records", row: Uuid::from_u128(2), version: 3 }
    }

    #[test]
    fn a_flipped_bit_is_an_error_and_not_text() {
        let key = Key::random().unwrap();
        let sealed = key.seal(&place(), "Épaule droite".as_bytes()).unwrap();
        assert_eq!(&key.open(&place(), &sealed).unwrap()[..], "Épaule droite".as_bytes());
        for bit in 0..sealed.0.len() * 8 {
            let mut changed = sealed.clone();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open(&place(), &changed).is_err(), "bit {bit}");
        }
        for length in 0..sealed.0.len() {
            assert!(key.open(&place(), &Sealed(sealed.0[..length].to_vec())).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn what_is_moved_does_not_open() {
        let key = Key::random().unwrap();
        let sealed = key.seal(&place(), b"x").unwrap();
        let other = Uuid::from_u128(9);
        for moved in [
            Place { tenant: TenantId(other), ..place() },
            Place { table: "notes", ..place() },
            Place { row: other, ..place() },
            Place { version: 4, ..place() },
        ] {
            assert!(key.open(&moved, &sealed).is_err(), "{moved:?}");
        }
        assert!(Key::random().unwrap().open(&place(), &sealed).is_err(), "another key");
    }

    #[test]
    fn neither_nonces_nor_keys_repeat() {
        let key = Key::random().unwrap();
        let nonces: BTreeSet<Vec<u8>> =
            (0..10_000).map(|_| key.seal(&place(), b"x").unwrap().0[1..=NONCE].to_vec()).collect();
        let keys: BTreeSet<[u8; 32]> = (0..10_000).map(|_| *Key::random().unwrap().bytes()).collect();
        assert_eq!((nonces.len(), keys.len()), (10_000, 10_000));
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
