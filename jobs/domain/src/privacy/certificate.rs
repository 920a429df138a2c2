//! The certificate of an erasure: what was destroyed, what is kept and why, and what the search found; signed with Ed25519, so that
//! anybody who knows the platform's public key can check it without the platform.

use chrono::{DateTime, NaiveDate, Utc};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    config::{Env, Secret},
    error::{Error, Result},
};

/// What was destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Destroyed {
    /// The table or the area of the object store.
    pub what: String,
    /// Rows or objects.
    pub count: i64,
    /// What was done to them: `deleted`, `emptied` (their personal columns), `removed` (objects), `key_destroyed`.
    pub how: String,
}

/// What is kept, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The table.
    pub what: String,
    /// Rows.
    pub count: i64,
    /// The law that wants it kept.
    pub law: String,
    /// Until when; none where it is without anybody's name.
    pub until: Option<NaiveDate>,
}

/// What a certificate states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// How to read it; 1.
    pub format: u8,
    /// The erasure.
    pub erasure_id: Uuid,
    /// The practice; nil where an account was erased on the whole platform, so that no tenant is named.
    pub tenant_id: Uuid,
    /// The practice's name, or the platform's.
    pub tenant_name: String,
    /// The patient or the user: a number that leads to nobody any more.
    pub subject_id: Uuid,
    /// Asked for at.
    pub requested_at: DateTime<Utc>,
    /// Erased at.
    pub erased_at: DateTime<Utc>,
    /// Searched and certified at.
    pub certified_at: DateTime<Utc>,
    /// What was destroyed.
    pub destroyed: Vec<Destroyed>,
    /// What is kept, and why.
    pub kept: Vec<Kept>,
    /// Tables that were searched for the patient's identifiers afterwards.
    pub tables_searched: u32,
    /// Rows among them.
    pub rows_searched: u64,
    /// Objects that were searched.
    pub objects_searched: u64,
    /// What the search found: nothing, or there would be no certificate.
    pub identifiers_found: u32,
    /// Whose records were left out of the search, and why.
    pub not_searched: Vec<String>,
}

/// A certificate with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedCertificate {
    /// What it states.
    pub certificate: Certificate,
    /// `Ed25519`.
    pub algorithm: String,
    /// The public key, 64 hexadecimal digits.
    pub public_key: String,
    /// The signature of the certificate's JSON, members in the order above, without spaces: 128 hexadecimal digits.
    pub signature: String,
}

/// Signs certificates.
#[derive(Clone)]
pub struct Signer(SigningKey);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(…)")
    }
}

impl Signer {
    /// Reads `CERTIFICATE_KEY`; `None` means that a problem was noted.
    pub fn read(env: &mut Env) -> Option<Self> {
        let expected = "64 hexadecimal digits (openssl rand -hex 32)";
        let key = env.secret("CERTIFICATE_KEY", expected, |text| Self::parse(text).is_some())?;
        Self::of(&key)
    }

    /// A signer for a key of 64 hexadecimal digits.
    pub fn of(key: &Secret) -> Option<Self> {
        Self::parse(key.expose())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, &mut seed[..]).ok()?;
        Some(Self(SigningKey::from_bytes(&seed)))
    }

    /// The public key, 64 hexadecimal digits.
    pub fn public_key(&self) -> String {
        hex::encode(self.0.verifying_key().as_bytes())
    }

    /// The signature of something that is not a certificate, 128 hexadecimal digits.
    pub(crate) fn mark(&self, said: &[u8]) -> String {
        hex::encode(self.0.sign(&apart(said)).to_bytes())
    }

    /// Whether this key signed it.
    pub(crate) fn marked(&self, said: &[u8], signature: &str) -> bool {
        let mut bytes = [0; 64];
        hex::decode_to_slice(signature, &mut bytes).is_ok()
            && self.0.verifying_key().verify(&apart(said), &Signature::from_bytes(&bytes)).is_ok()
    }

    /// Signs.
    pub fn sign(&self, certificate: Certificate) -> Result<SignedCertificate> {
        let bytes = serde_json::to_vec(&certificate).map_err(Error::internal)?;
        Ok(SignedCertificate {
            certificate,
            algorithm: "Ed25519".to_owned(),
            public_key: self.public_key(),
            signature: hex::encode(self.0.sign(&bytes).to_bytes()),
        })
    }
}

/// What no certificate begins with, so that nothing that was signed for one use serves another.
fn apart(said: &[u8]) -> Vec<u8> {
    [b"note beside a backup: ", said].concat()
}

/// What the check of a certificate found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is as it was signed, by the key that is expected.
    Genuine,
    /// It is as it was signed, by the key that it names itself: compare that with the platform's.
    Unknown,
    /// It was signed by another key than the one that is expected.
    OtherKey,
    /// It is not as it was signed, or no certificate at all.
    Forged,
}

/// Checks a certificate, offline. `key` is the platform's public key, where it is known.
pub fn check_certificate(json: &[u8], key: Option<&str>) -> (Checked, Option<SignedCertificate>) {
    let Ok(signed) = serde_json::from_slice::<SignedCertificate>(json) else {
        return (Checked::Forged, None);
    };
    let checked = match (holds(&signed), key) {
        (None, _) => Checked::Forged,
        (Some(()), None) => Checked::Unknown,
        (Some(()), Some(key)) if key.eq_ignore_ascii_case(&signed.public_key) => Checked::Genuine,
        (Some(()), Some(_)) => Checked::OtherKey,
    };
    (checked, Some(signed))
}

fn holds(signed: &SignedCertificate) -> Option<()> {
    let (mut key, mut signature) = ([0; 32], [0; 64]);
    hex::decode_to_slice(&signed.public_key, &mut key).ok()?;
    hex::decode_to_slice(&signed.signature, &mut signature).ok()?;
    let bytes = serde_json::to_vec(&signed.certificate).ok()?;
    let key = VerifyingKey::from_bytes(&key).ok()?;
    (signed.algorithm == "Ed25519").then_some(())?;
    key.verify(&bytes, &Signature::from_bytes(&signature)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(byte: &str) -> Signer {
        Signer::of(&Secret::new(byte.repeat(32))).unwrap()
    }

    fn certificate() -> Certificate {
        let at = "2027-01-04T08:00:00.123456Z".parse().unwrap();
        Certificate {
            format: 1,
            erasure_id: Uuid::from_u128(1),
            tenant_id: Uuid::from_u128(2),
            tenant_name: "Cabinet".to_owned(),
            subject_id: Uuid::from_u128(3),
            requested_at: at,
            erased_at: at,
            certified_at: at,
            destroyed: vec![Destroyed { what: "patients".to_owned(), count: 1, how: "emptied".to_owned() }],
            kept: Vec::new(),
            tables_searched: 50,
            rows_searched: 1_000,
            objects_searched: 3,
            identifiers_found: 0,
            not_searched: Vec::new(),
        }
    }

    #[test]
    fn a_changed_certificate_is_known_as_forged() {
        let signed = signer("0a").sign(certificate()).unwrap();
        let json = serde_json::to_string_pretty(&signed).unwrap();
        let key = signer("0a").public_key();
        let check = |json: &str, key: Option<&str>| check_certificate(json.as_bytes(), key).0;
        assert_eq!(check(&json, Some(&key)), Checked::Genuine);
        assert_eq!(check(&json, None), Checked::Unknown);
        assert_eq!(check(&json, Some(&signer("0b").public_key())), Checked::OtherKey);
        for (from, to) in [
            ("\"count\": 1", "\"count\": 2"),
            ("Cabinet", "Clinic"),
            ("\"format\": 1", "\"format\": 1, \"more\": 1"),
        ] {
            assert!(json.contains(from));
            assert_eq!(check(&json.replacen(from, to, 1), Some(&key)), Checked::Forged, "{to}");
        }
        let other = signer("0b").sign(certificate()).unwrap();
        let swapped = SignedCertificate { public_key: other.public_key, ..signed };
        assert_eq!(check(&serde_json::to_string(&swapped).unwrap(), None), Checked::Forged);
        assert_eq!(check("{}", None), Checked::Forged);
    }
}
