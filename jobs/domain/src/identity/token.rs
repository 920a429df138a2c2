//! Access and refresh tokens (requirements ID-2).

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Role, Scope};
use crate::{
    config::{AuthConfig, Secret},
    crypto,
    error::{Error, Result},
    ids::{SessionId, TenantId, UserId},
};

const ISSUER: &str = "permanence";

/// Reading and writing of one kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Permission {
    /// May read.
    pub read: bool,
    /// May write.
    pub write: bool,
}

/// What a token tells a frontend of its user's permissions; the server itself goes by the membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Permissions {
    /// Patients.
    pub patients: Permission,
    /// Appointments.
    pub appointments: Permission,
    /// Medical records.
    pub medical_records: Permission,
}

impl Permissions {
    /// The permissions of a role.
    pub fn of(role: Role) -> Self {
        let pair = |read, write| Permission { read: role.may(read), write: role.may(write) };
        Self {
            patients: pair(Scope::PatientsRead, Scope::PatientsWrite),
            appointments: pair(Scope::AppointmentsRead, Scope::AppointmentsWrite),
            medical_records: pair(Scope::RecordsRead, Scope::RecordsWrite),
        }
    }
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// The user.
    pub sub: UserId,
    /// The session that the token belongs to.
    pub sid: SessionId,
    /// The tenant it is for.
    pub tenant: TenantId,
    /// The user's address.
    pub email: String,
    /// The user's role in the tenant.
    pub role: Role,
    /// The role's permissions, for frontends.
    pub permissions: Permissions,
    /// RPPS number of a practitioner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpps_number: Option<String>,
    /// ADELI number of a practitioner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adeli_number: Option<String>,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Expires at, seconds since 1970.
    pub exp: i64,
}

/// What the database keeps instead of tokens.
#[derive(Debug, Clone)]
pub struct TokenHashes(Secret);

impl TokenHashes {
    /// Hashes under the refresh key.
    pub fn new(key: Secret) -> Self {
        Self(key)
    }

    pub(super) fn refresh(&self, token: &str) -> Result<Vec<u8>> {
        crypto::mac(self.0.expose().as_bytes(), &[b"refresh", token.as_bytes()])
    }

    /// The token of a patient's link, as long as an SMS can bear and too long to guess. It follows from what it is for, so
    /// that a message that is written again holds the same link, and the token is kept nowhere.
    pub(crate) fn link_token(&self, purpose: &str, parts: &[&[u8]]) -> Result<String> {
        let whole: Vec<&[u8]> =
            [b"link token", purpose.as_bytes()].into_iter().chain(parts.iter().copied()).collect();
        crypto::readable(&crypto::mac(self.0.expose().as_bytes(), &whole)?)
    }

    pub(crate) fn link(&self, token: &str) -> Result<Vec<u8>> {
        crypto::mac(self.0.expose().as_bytes(), &[b"link", token.as_bytes()])
    }

    /// What attempts to sign in are counted under.
    pub(super) fn sign_in(&self, parts: &[&str]) -> Result<Vec<u8>> {
        let whole: Vec<&[u8]> = ["sign in"].iter().chain(parts).map(|part| part.as_bytes()).collect();
        crypto::mac(self.0.expose().as_bytes(), &whole)
    }

    pub(super) fn password_reset(&self, token: &str) -> Result<Vec<u8>> {
        crypto::mac(self.0.expose().as_bytes(), &[b"password reset", token.as_bytes()])
    }

    pub(crate) fn certificate(&self, token: &str) -> Result<Vec<u8>> {
        crypto::mac(self.0.expose().as_bytes(), &[b"certificate", token.as_bytes()])
    }

    pub(super) fn invitation(&self, token: &str) -> Result<Vec<u8>> {
        crypto::mac(self.0.expose().as_bytes(), &[b"invitation", token.as_bytes()])
    }
}

/// Makes and checks tokens.
pub struct Tokens {
    signing: (String, EncodingKey),
    checking: HashMap<String, DecodingKey>,
    /// Hashes of the tokens that are kept.
    pub hashes: TokenHashes,
    /// Life of an access token.
    pub access_ttl: Duration,
    /// Life of a session.
    pub refresh_ttl: Duration,
    /// A session unused for this long is over.
    pub idle_timeout: Duration,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("signing", &self.signing.0).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Takes the keys of the configuration; fails without a signing key.
    pub fn new(config: &AuthConfig) -> Result<Self> {
        let mut kids: Vec<_> = config.access_keys.iter().map(|key| &key.kid).collect();
        kids.sort_unstable();
        if kids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::internal("two keys of JWT_ACCESS_KEYS have the same kid"));
        }
        let first = config.access_keys.first().ok_or_else(|| Error::internal("no signing key"))?;
        Ok(Self {
            signing: (first.kid.clone(), EncodingKey::from_secret(first.secret.expose().as_bytes())),
            checking: config
                .access_keys
                .iter()
                .map(|key| (key.kid.clone(), DecodingKey::from_secret(key.secret.expose().as_bytes())))
                .collect(),
            hashes: TokenHashes::new(config.refresh_key.clone()),
            access_ttl: config.access_ttl,
            refresh_ttl: config.refresh_ttl,
            idle_timeout: config.idle_timeout,
        })
    }

    /// Signs an access token.
    pub(super) fn sign(&self, mut claims: Claims, now: DateTime<Utc>) -> Result<String> {
        ISSUER.clone_into(&mut claims.iss);
        claims.iat = now.timestamp();
        claims.exp = (now + self.access_ttl).timestamp();
        let header = Header { kid: Some(self.signing.0.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &self.signing.1).map_err(Error::internal)
    }

    /// A number for whoever holds a token, from which the token cannot be told.
    pub fn holder(&self, token: &Secret) -> Result<Uuid> {
        let hash = crypto::mac(self.hashes.0.expose().as_bytes(), &[b"holder", token.expose().as_bytes()])?;
        hash.first_chunk()
            .map(|bytes| Uuid::from_bytes(*bytes))
            .ok_or_else(|| Error::internal("a hash is short"))
    }

    /// Reads an access token that is whole, ours and not expired.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims> {
        let invalid = |_| Error::Unauthenticated("invalid_token");
        let kid = decode_header(token).map_err(invalid)?.kid.unwrap_or_default();
        let key = self.checking.get(&kid).ok_or(Error::Unauthenticated("invalid_token"))?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // Checked below against the Clock: the library would ask the machine.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, key, &validation).map_err(invalid)?.claims;
        if claims.exp <= now.timestamp() { Err(Error::Unauthenticated("token_expired")) } else { Ok(claims) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SigningKey;

    fn tokens(keys: &[(&str, &str)]) -> Tokens {
        let key = |(kid, fill): &(&str, &str)| SigningKey {
            kid: (*kid).to_owned(),
            secret: Secret::new(fill.repeat(32)),
        };
        Tokens::new(&AuthConfig {
            access_keys: keys.iter().map(key).collect(),
            refresh_key: Secret::new("r".repeat(32)),
            access_ttl: Duration::from_mins(15),
            refresh_ttl: Duration::from_hours(168),
            idle_timeout: Duration::from_hours(12),
        })
        .unwrap()
    }

    fn claims(now: DateTime<Utc>) -> Claims {
        Claims {
            iss: String::new(),
            sub: UserId::random(),
            sid: SessionId::new(now),
            tenant: TenantId::new(now),
            email: "a@example.fr".to_owned(),
            role: Role::Assistant,
            permissions: Permissions::of(Role::Assistant),
            rpps_number: None,
            adeli_number: None,
            iat: 0,
            exp: 0,
        }
    }

    #[test]
    fn a_rotated_key_still_checks_and_a_removed_one_does_not() {
        let now: DateTime<Utc> = "2027-01-04T08:00:00Z".parse().unwrap();
        let token = tokens(&[("old", "a")]).sign(claims(now), now).unwrap();
        assert!(tokens(&[("new", "b"), ("old", "a")]).verify(&token, now).is_ok());
        for wrong in [tokens(&[("new", "b")]), tokens(&[("old", "b")])] {
            assert!(matches!(wrong.verify(&token, now), Err(Error::Unauthenticated("invalid_token"))));
        }
    }

    #[test]
    fn a_token_ends_by_the_clock() {
        let now: DateTime<Utc> = "2027-01-04T08:00:00Z".parse().unwrap();
        let tokens = tokens(&[("k", "a")]);
        let token = tokens.sign(claims(now), now).unwrap();
        assert!(tokens.verify(&token, now + chrono::Duration::seconds(899)).is_ok());
        let late = tokens.verify(&token, now + chrono::Duration::seconds(900));
        assert!(matches!(late, Err(Error::Unauthenticated("token_expired"))));
    }
}
