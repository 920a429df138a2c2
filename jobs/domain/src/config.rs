//! Configuration from the environment: every wrong or missing variable is told at once, by its name, with what was
//! read and what is expected. Secrets are never shown.

use std::{collections::HashMap, ffi::OsString, fmt, str::FromStr, time::Duration};

use chrono_tz::Tz;
use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use url::Url;
use zeroize::Zeroize;

use crate::error::Invalid;

/// A value that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself; use it where it is needed and keep no copy.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A secret as it is presented: any text.
impl Deserr<Invalid> for Secret {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        <String as Deserr<Invalid>>::deserialize_from_value(value, location).map(Self)
    }
}

/// All that is wrong with the environment, a line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} problem(s):\n  {}\nSee .env.example for every variable.", .0.len(), .0.join("\n  "))]
pub struct ConfigError(pub Vec<String>);

/// The environment being read, and the problems found so far.
#[derive(Clone, Debug, Default)]
pub struct Env {
    variables: HashMap<String, String>,
    problems: Vec<String>,
}

impl Env {
    /// The process's own environment.
    pub fn of_process() -> Self {
        // What is not UTF-8 is none of ours.
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::of(std::env::vars_os().filter_map(text))
    }

    /// Given variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect(), problems: Vec::new() }
    }

    /// The variable's text; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Gives a variable that is absent a value.
    pub fn set_default(&mut self, name: &str, value: String) {
        if self.get(name).is_none() {
            self.variables.insert(name.to_owned(), value);
        }
    }

    /// Notes that a variable is not as it should be; once, however many readers it has.
    pub fn problem(&mut self, name: &str, read: &str, expected: &str) {
        let problem = format!("{name}: read {read}, expected {expected}");
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// A variable that must be there. `None` means that a problem was noted.
    pub fn required<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.read(name, expected, parse).or_else(|| {
            if self.get(name).is_none() {
                self.problem(name, "nothing", expected);
            }
            None
        })
    }

    /// A variable that may be absent; its default then. `None` means that a problem was noted.
    pub fn or<T>(
        &mut self,
        name: &str,
        default: T,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.get(name).is_none() { Some(default) } else { self.read(name, expected, parse) }
    }

    /// A variable that must be there and is not shown when it is wrong.
    pub fn secret(
        &mut self,
        name: &str,
        expected: &str,
        accept: impl FnOnce(&str) -> bool,
    ) -> Option<Secret> {
        let Some(value) = self.get(name).map(Secret::new) else {
            self.problem(name, "nothing", expected);
            return None;
        };
        if accept(value.expose()) {
            return Some(value);
        }
        let length = value.expose().chars().count();
        self.problem(name, &format!("a secret of {length} characters"), expected);
        None
    }

    fn read<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.get(name)?.to_owned();
        let parsed = parse(&value);
        if parsed.is_none() {
            self.problem(name, &format!("`{}`", without_password(&value)), expected);
        }
        parsed
    }

    /// The configuration, or everything that is wrong.
    pub fn finish<T>(self, config: Option<T>) -> Result<T, ConfigError> {
        match config {
            Some(config) if self.problems.is_empty() => Ok(config),
            _ => Err(ConfigError(self.problems)),
        }
    }
}

/// A URL as it may be shown: the password between `:` and `@` taken out.
fn without_password(value: &str) -> String {
    match (value.find("://"), value.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => match value[scheme + 3..at].find(':') {
            Some(colon) => format!("{}:…{}", &value[..scheme + 3 + colon], &value[at..]),
            None => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// Reads a value by its `FromStr`.
pub fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// No duration of ours is longer than a year.
const LONGEST: Duration = Duration::from_hours(8784);

/// Reads a duration from a second to a year as a count with a unit: `1500ms`, `30s`, `15m`, `12h`, `7d`.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u64 = text[..digits].parse().ok()?;
    let duration = match &text[digits..] {
        "ms" => Some(Duration::from_millis(count)),
        "s" => Some(Duration::from_secs(count)),
        "m" => count.checked_mul(60).map(Duration::from_secs),
        "h" => count.checked_mul(3_600).map(Duration::from_secs),
        "d" => count.checked_mul(86_400).map(Duration::from_secs),
        _ => None,
    };
    duration.filter(|duration| (Duration::from_secs(1)..=LONGEST).contains(duration))
}

/// Reads an `http` or `https` URL.
pub fn http_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A path below a base URL, which may have a path of its own.
pub fn under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Where the database is, for the login role.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `postgres://` URL of the login role.
    pub url: Secret,
    /// Connections of this process at the most.
    pub max_connections: u32,
}

impl DatabaseConfig {
    /// Reads `DATABASE_URL` and `DATABASE_MAX_CONNECTIONS`.
    pub fn read(env: &mut Env) -> Option<Self> {
        let url = postgres_url(env, "DATABASE_URL");
        let max_connections =
            env.or("DATABASE_MAX_CONNECTIONS", 20, "a whole number from 2 to 1000", |text| {
                parsed(text).filter(|count| (2..=1_000).contains(count))
            });
        Some(Self { url: url?, max_connections: max_connections? })
    }
}

/// Reads a `postgres://` URL whose database is named. It is never shown: a password may stand anywhere in it.
pub fn postgres_url(env: &mut Env, name: &str) -> Option<Secret> {
    env.secret(name, "a URL such as postgres://user:password@host:5432/permanence", |text| {
        let named = |url: &Url| !url.path().trim_matches('/').is_empty();
        Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql") && named(&url))
    })
}

/// Where objects are kept: any S3.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// Base address, without the bucket.
    pub endpoint: Url,
    /// Region that requests are signed for.
    pub region: String,
    /// The one bucket.
    pub bucket: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: Secret,
}

impl StorageConfig {
    /// Reads the `S3_…` variables.
    pub fn read(env: &mut Env) -> Option<Self> {
        Self::read_named(env, |_, name| name.to_owned())
    }

    /// Reads where the audit trail is anchored: the `AUDIT_S3_…` variables, and for what they leave out those of `S3_…`.
    pub fn read_for_anchors(env: &mut Env) -> Option<Self> {
        Self::read_apart(env, "AUDIT")
    }

    /// Reads where backups lie: the `BACKUP_S3_…` variables, and for what they leave out those of `S3_…`.
    pub fn read_for_backups(env: &mut Env) -> Option<Self> {
        Self::read_apart(env, "BACKUP")
    }

    fn read_apart(env: &mut Env, whose: &str) -> Option<Self> {
        Self::read_named(env, |env, name| {
            let own = format!("{whose}_{name}");
            if env.get(&own).is_some() { own } else { name.to_owned() }
        })
    }

    fn read_named(env: &mut Env, name: impl Fn(&Env, &str) -> String) -> Option<Self> {
        let [endpoint, region, bucket, access_key, secret_key] =
            ["S3_ENDPOINT", "S3_REGION", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY"]
                .map(|variable| name(env, variable));
        let endpoint = env.required(&endpoint, "a URL such as https://s3.gra.io.cloud.ovh.net", http_url);
        let region = env.or(&region, "us-east-1".to_owned(), "a region", parsed);
        let bucket = env.required(&bucket, "a bucket name of 3 to 63 of a-z 0-9 . -", |text| {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
            ((3..=63).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
        });
        let access_key = env.required(&access_key, "the access key id", parsed);
        let secret_key = env.secret(&secret_key, "the secret access key", |_| true);
        Some(Self {
            endpoint: endpoint?,
            region: region?,
            bucket: bucket?,
            access_key: access_key?,
            secret_key: secret_key?,
        })
    }
}

/// One key that signs or checks access tokens.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// The key's name in a token's header.
    pub kid: String,
    /// At least 32 characters.
    pub secret: Secret,
}

/// How people sign in.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// The first signs, all of them check: put a new one first to rotate.
    pub access_keys: Vec<SigningKey>,
    /// Key of the refresh tokens' hashes.
    pub refresh_key: Secret,
    /// Life of an access token.
    pub access_ttl: Duration,
    /// Life of a session, however busy.
    pub refresh_ttl: Duration,
    /// A session unused for this long is over.
    pub idle_timeout: Duration,
}

const ACCESS_KEYS: &str =
    "comma-separated kid:secret pairs, the signing one first, each secret of at least 32 characters";

impl AuthConfig {
    /// Reads the `JWT_…` and `SESSION_…` variables.
    pub fn read(env: &mut Env) -> Option<Self> {
        let access = env.secret("JWT_ACCESS_KEYS", ACCESS_KEYS, |text| signing_keys(text).is_some());
        let refresh = env.secret("JWT_REFRESH_KEY", "a secret of at least 32 characters", long_enough);
        let access_keys = access.and_then(|text| signing_keys(text.expose()));
        if let (Some(keys), Some(refresh)) = (&access_keys, &refresh)
            && keys.iter().any(|key| key.secret == *refresh)
        {
            env.problem("JWT_REFRESH_KEY", "a key that is in JWT_ACCESS_KEYS too", "a key of its own");
        }
        let minutes = |count: u64| Duration::from_secs(count * 60);
        let access_ttl = env.or("JWT_ACCESS_TTL", minutes(15), "a duration such as 15m", duration);
        let refresh_ttl = env.or("JWT_REFRESH_TTL", minutes(7 * 24 * 60), "a duration such as 7d", duration);
        let idle_timeout =
            env.or("SESSION_IDLE_TIMEOUT", minutes(12 * 60), "a duration such as 12h", duration);
        Some(Self {
            access_keys: access_keys?,
            refresh_key: refresh?,
            access_ttl: access_ttl?,
            refresh_ttl: refresh_ttl?,
            idle_timeout: idle_timeout?,
        })
    }
}

fn long_enough(secret: &str) -> bool {
    secret.chars().count() >= 32
}

fn signing_keys(text: &str) -> Option<Vec<SigningKey>> {
    text.split(',')
        .map(|pair| {
            let (kid, secret) = pair.trim().split_once(':')?;
            (!kid.is_empty() && long_enough(secret))
                .then(|| SigningKey { kid: kid.to_owned(), secret: Secret::new(secret) })
        })
        .collect()
}

/// Reads the key that seals what must not be readable in the database: 32 bytes as 64 hexadecimal digits.
pub fn encryption_key(env: &mut Env) -> Option<Secret> {
    env.secret("ENCRYPTION_KEY", "64 hexadecimal digits (openssl rand -hex 32)", |text| {
        text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// Reads an IANA time zone.
pub fn zone(text: &str) -> Option<Tz> {
    parsed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn every_problem_is_told_at_once_and_no_secret_is_shown() {
        let mut env = env(&[
            ("DATABASE_URL", "mysql://app:hunter2@db/permanence"),
            ("DATABASE_MAX_CONNECTIONS", "many"),
            ("JWT_ACCESS_KEYS", "2026:short"),
            ("JWT_ACCESS_TTL", "15 minutes"),
        ]);
        let database = DatabaseConfig::read(&mut env);
        let auth = AuthConfig::read(&mut env);
        let error = env.finish(database.zip(auth)).unwrap_err();
        assert_eq!(
            error.0,
            [
                "DATABASE_URL: read a secret of 33 characters, expected a URL such as \
                 postgres://user:password@host:5432/permanence",
                "DATABASE_MAX_CONNECTIONS: read `many`, expected a whole number from 2 to 1000",
                "JWT_ACCESS_KEYS: read a secret of 10 characters, expected comma-separated kid:secret pairs, the \
                 signing one first, each secret of at least 32 characters",
                "JWT_REFRESH_KEY: read nothing, expected a secret of at least 32 characters",
                "JWT_ACCESS_TTL: read `15 minutes`, expected a duration such as 15m",
            ]
        );
    }

    #[test]
    fn anchors_lie_where_everything_does_unless_said_otherwise() {
        let own = [
            ("S3_ENDPOINT", "https://s3.example"),
            ("S3_BUCKET", "permanence"),
            ("S3_ACCESS_KEY", "k"),
            ("S3_SECRET_KEY", "s"),
        ];
        let of = |config: StorageConfig| (config.bucket, config.access_key, config.endpoint.to_string());
        let same = StorageConfig::read_for_anchors(&mut env(&own)).unwrap();
        assert_eq!(of(same), ("permanence".to_owned(), "k".to_owned(), "https://s3.example/".to_owned()));
        let apart = [&own[..], &[("AUDIT_S3_BUCKET", "anchors"), ("AUDIT_S3_ACCESS_KEY", "a")]].concat();
        let apart = StorageConfig::read_for_anchors(&mut env(&apart)).unwrap();
        assert_eq!(of(apart), ("anchors".to_owned(), "a".to_owned(), "https://s3.example/".to_owned()));
        let mut wrong = env(&[&own[..], &[("AUDIT_S3_BUCKET", "A!")]].concat());
        let read = StorageConfig::read_for_anchors(&mut wrong);
        assert!(wrong.finish(read).unwrap_err().0[0].starts_with("AUDIT_S3_BUCKET: read `A!`"));
    }

    #[test]
    fn the_two_keys_must_differ() {
        let same = "0123456789abcdef0123456789abcdef";
        let keys = format!("k1:{same}");
        let mut env = env(&[("JWT_ACCESS_KEYS", &keys), ("JWT_REFRESH_KEY", same)]);
        let auth = AuthConfig::read(&mut env);
        assert!(
            env.finish(auth).unwrap_err().0[0]
                .starts_with("JWT_REFRESH_KEY: read a key that is in JWT_ACCESS_KEYS")
        );
    }

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Some(Duration::from_hours(168)));
        for bad in ["", "15", "m", "-1s", "1.5h", "1y", "0s", "367d"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
