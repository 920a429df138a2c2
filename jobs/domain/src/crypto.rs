//! Randomness, sealing and hashing: the only place that draws random bytes or touches a key.

use std::sync::LazyLock;

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::{
    config::Secret,
    error::{Error, Result},
};

const NONCE: usize = 12;

/// Fresh random bytes from the operating system.
#[expect(clippy::disallowed_methods, reason = "this is the place the lint points to")]
pub fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal(error.to_string()))?;
    Ok(bytes)
}

/// A token of 256 random bits, safe in a URL.
pub fn random_token() -> Result<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

/// Seals small texts with AES-256-GCM under one key; every seal has a fresh random nonce in front.
#[derive(Clone)]
pub struct Sealer(Aes256Gcm);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// A sealer for a key of 64 hexadecimal digits.
    pub fn new(key: &Secret) -> Result<Self> {
        let key = key.expose();
        let bytes: Option<Vec<u8>> =
            (0..key.len()).step_by(2).map(|i| u8::from_str_radix(key.get(i..i + 2)?, 16).ok()).collect();
        let cipher = bytes.and_then(|bytes| Aes256Gcm::new_from_slice(&bytes).ok());
        cipher.map(Self).ok_or_else(|| Error::internal("the encryption key is not 32 bytes"))
    }

    /// Seals `plain`; it opens only with the same `context`.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let nonce = random_bytes::<NONCE>()?;
        let sealed = self
            .0
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: context })
            .map_err(|_| Error::internal("sealing failed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`Sealer::seal`] made; a changed byte or another context is an error.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let (nonce, body) =
            sealed.split_first_chunk::<NONCE>().ok_or_else(|| Error::internal("sealed text is cut"))?;
        self.0
            .decrypt(&Nonce::from(*nonce), Payload { msg: body, aad: context })
            .map_err(|_| Error::internal("sealed text does not open"))
    }
}

/// HMAC-SHA-256 of parts, each preceded by its length so that no two lists give the same bytes.
pub fn mac(key: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>> {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).map_err(Error::internal)?;
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    Ok(mac.finalize().into_bytes().to_vec())
}

/// A tag in 16 letters and digits, worth 95 bits; no sign that a program which finds links in a text would cut off.
pub(crate) fn readable(tag: &[u8]) -> Result<String> {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let bytes = tag.first_chunk().ok_or_else(|| Error::internal("a tag is short"))?;
    let mut number = u128::from_be_bytes(*bytes);
    let mut letter = || {
        let (rest, place) = (number / 62, number % 62);
        number = rest;
        usize::try_from(place).ok().and_then(|place| LETTERS.get(place)).map(|letter| char::from(*letter))
    };
    (0..16)
        .map(|_| letter())
        .collect::<Option<_>>()
        .ok_or_else(|| Error::internal("a letter beyond the last"))
}

/// Whether two tags are the same, in constant time.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// What checking a password found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is the password.
    Right,
    /// It is the password, kept in a way that is to be replaced (an imported bcrypt hash).
    RightButOutdated,
    /// It is not.
    Wrong,
}

// 19 MiB, two passes, one lane: OWASP's password storage cheat sheet.
static ARGON: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap_or_default())
});

/// Each hash takes 19 MiB and a core for about 30 ms: more at once would only queue on the processor.
static HASHING: Semaphore = Semaphore::const_new(4);

async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _permit = HASHING.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

/// Hashes a password with argon2id, as a PHC string.
pub async fn hash_password(password: Secret) -> Result<String> {
    off_the_runtime(move || ARGON.hash_password(password.expose().as_bytes()).map(|hash| hash.to_string()))
        .await?
        .map_err(|error| Error::internal(error.to_string()))
}

/// Checks a password. Without a hash it takes the same time and fails, so that the answer's delay does not tell
/// whether an account exists.
pub async fn check_password(password: Secret, hash: Option<String>) -> Result<PasswordCheck> {
    off_the_runtime(move || match hash {
        None => {
            let _ = ARGON.hash_password(password.expose().as_bytes());
            PasswordCheck::Wrong
        }
        Some(hash) if hash.starts_with("$2") => match bcrypt::verify(password.expose(), &hash) {
            Ok(true) => PasswordCheck::RightButOutdated,
            Ok(false) | Err(_) => PasswordCheck::Wrong,
        },
        Some(hash) => match PasswordHash::new(&hash) {
            Ok(parsed) if ARGON.verify_password(password.expose().as_bytes(), &parsed).is_ok() => {
                PasswordCheck::Right
            }
            _ => PasswordCheck::Wrong,
        },
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&Secret::new("00".repeat(32))).unwrap()
    }

    #[test]
    fn a_changed_byte_or_another_context_does_not_open() {
        let sealed = sealer().seal(b"row 1", b"secret").unwrap();
        assert_eq!(sealer().open(b"row 1", &sealed).unwrap(), b"secret");
        assert!(sealer().open(b"row 2", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(sealer().open(b"row 1", &changed).is_err(), "byte {place}");
        }
        assert_ne!(sealed, sealer().seal(b"row 1", b"secret").unwrap(), "a fresh nonce each time");
    }

    #[test]
    fn a_readable_tag_is_sixteen_letters_and_no_two_tags_share_one() {
        let read: std::collections::BTreeSet<String> =
            (0..1_000_u32).map(|n| readable(&mac(b"k", &[&n.to_be_bytes()]).unwrap()).unwrap()).collect();
        assert_eq!(read.len(), 1_000);
        assert!(read.iter().all(|text| text.len() == 16 && text.bytes().all(|b| b.is_ascii_alphanumeric())));
        // Every letter is used at every place: none is thrown away.
        for place in 0..16 {
            let used: std::collections::BTreeSet<u8> =
                read.iter().map(|text| text.as_bytes()[place]).collect();
            assert_eq!(used.len(), 62, "place {place}");
        }
        assert!(readable(b"short").is_err());
    }

    #[test]
    fn a_mac_tells_lists_apart_that_join_alike() {
        assert_ne!(mac(b"k", &[b"ab", b"c"]).unwrap(), mac(b"k", &[b"a", b"bc"]).unwrap());
    }

    #[tokio::test]
    async fn passwords_are_checked_and_bcrypt_is_outdated() {
        let hash = hash_password(Secret::new("Bonjour1!")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let check = |password: &str, hash: Option<String>| check_password(Secret::new(password), hash);
        assert_eq!(check("Bonjour1!", Some(hash.clone())).await.unwrap(), PasswordCheck::Right);
        assert_eq!(check("bonjour1!", Some(hash)).await.unwrap(), PasswordCheck::Wrong);
        assert_eq!(check("Bonjour1!", None).await.unwrap(), PasswordCheck::Wrong);
        let imported = bcrypt::hash("Bonjour1!", 4).unwrap();
        assert_eq!(check("Bonjour1!", Some(imported)).await.unwrap(), PasswordCheck::RightButOutdated);
    }
}
