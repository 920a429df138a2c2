//! The embedded parts: each stands in for a service that the environment does not name.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use permanence_domain::config::Env;
use permanence_embedded::{
    mail::MailServer,
    outbox::Outbox,
    postgres::{self, Durability, Options, Postgres},
    sms::SmsServer,
    storage::ObjectStore,
};

use crate::{
    Failure,
    secrets::{self, BACKUP_PASSWORD, DATABASE_PASSWORD},
};

const DATABASE: &str = "permanence";
const LOGIN: &str = "permanence_login";
const BACKUP_LOGIN: &str = "permanence_backup_login";
const BUCKET: &str = "permanence";
const MAIL_FROM: &str = "rappels@permanence.example";
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The parts that run in this process.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) postgres: Option<Postgres>,
    pub(crate) outbox: Option<Outbox>,
    storage: Option<ObjectStore>,
    mail: Option<MailServer>,
    sms: Option<SmsServer>,
}

impl Parts {
    /// Starts what the environment leaves out, and adds its addresses and keys to it.
    pub(crate) async fn start(folder: &Path, env: &mut Env) -> Result<Self, Failure> {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let folder = folder.canonicalize()?;
        let outbox = (embeds_mail(env) || env.get("SMS_PROVIDER").is_none())
            .then(|| Outbox::in_folder(folder.join("outbox")))
            .transpose()?;
        let wants_database = env.get("DATABASE_URL").is_none();
        let wants_storage = env.get("S3_ENDPOINT").is_none();
        let (postgres, storage) = tokio::try_join!(
            async {
                if !wants_database {
                    return Ok(None);
                }
                let options =
                    Options { data: folder.join("postgres"), port: None, durability: Durability::Durable };
                let postgres = Postgres::start(options).await?;
                postgres.ensure_database(DATABASE).await?;
                Ok::<_, Failure>(Some(postgres))
            },
            async {
                if !wants_storage {
                    return Ok(None);
                }
                Ok(Some(ObjectStore::start(folder.join("storage"), ANY_PORT).await?))
            },
        )?;
        let mail = match &outbox {
            Some(outbox) if embeds_mail(env) => Some(MailServer::start(ANY_PORT, outbox.clone()).await?),
            _ => None,
        };
        let sms = match &outbox {
            Some(outbox) if env.get("SMS_PROVIDER").is_none() => {
                Some(SmsServer::start(ANY_PORT, outbox.clone()).await?)
            }
            _ => None,
        };
        let parts = Self { postgres, outbox, storage, mail, sms };
        parts.introduce(env, &secrets::load(&folder.join("keys.env"))?);
        Ok(parts)
    }

    /// Tells the configuration where the parts are; what the environment says stands.
    fn introduce(&self, env: &mut Env, keys: &[(String, String)]) {
        for (name, value) in keys {
            env.set_default(name, value.clone());
        }
        if let Some(postgres) = &self.postgres {
            env.set_default("DATABASE_OWNER_URL", postgres.owner_url(DATABASE));
            let password = env.get(DATABASE_PASSWORD).map(str::to_owned);
            env.set_default("DATABASE_URL", postgres.url(LOGIN, password.as_deref(), DATABASE));
            let password = env.get(BACKUP_PASSWORD).map(str::to_owned);
            env.set_default("BACKUP_DATABASE_URL", postgres.url(BACKUP_LOGIN, password.as_deref(), DATABASE));
            for (name, program) in [("PG_DUMP", "pg_dump"), ("PG_RESTORE", "pg_restore")] {
                env.set_default(name, postgres.program(program).display().to_string());
            }
        }
        if let Some(storage) = &self.storage {
            introduce_storage(storage, env);
        }
        if let Some(mail) = &self.mail {
            env.set_default("SMTP_URL", mail.url());
            env.set_default("MAIL_FROM", MAIL_FROM.to_owned());
        }
        if let Some(sms) = &self.sms {
            let credentials = sms.credentials();
            env.set_default("SMS_PROVIDER", "ovh".to_owned());
            env.set_default("OVH_ENDPOINT", sms.ovh_url());
            env.set_default("OVH_APPLICATION_KEY", credentials.ovh_application_key.clone());
            env.set_default("OVH_APPLICATION_SECRET", credentials.ovh_application_secret.clone());
            env.set_default("OVH_CONSUMER_KEY", credentials.ovh_consumer_key.clone());
            env.set_default("OVH_SMS_SERVICE", credentials.ovh_service.clone());
            env.set_default("SMS_SENDER", "Permanence".to_owned());
        }
    }

    /// Whether nothing here reaches the world: only then may invented patients be made, and be written to.
    pub(crate) fn are_all_embedded(&self) -> bool {
        self.postgres.is_some() && self.storage.is_some() && self.mail.is_some() && self.sms.is_some()
    }

    /// Stops them, the database last.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        if let Some(mail) = self.mail {
            mail.stop().await;
        }
        if let Some(sms) = self.sms {
            sms.stop().await;
        }
        if let Some(storage) = self.storage {
            storage.stop().await;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await?;
        }
        Ok(())
    }
}

/// Whether mail stays here: no server is named, and no provider that would need none.
fn embeds_mail(env: &Env) -> bool {
    env.get("SMTP_URL").is_none() && env.get("MAIL_PROVIDER").is_none_or(|provider| provider == "smtp")
}

/// Fills in what the embedded parts would tell, so that the rest of the settings can be checked before they start.
pub(crate) fn imagine(env: &mut Env) {
    let mail = embeds_mail(env);
    let mut part = |replaced_by: &str, variables: &[(&str, &str)]| {
        if env.get(replaced_by).is_none() {
            for (name, value) in variables {
                env.set_default(name, (*value).to_owned());
            }
        }
    };
    let (key, other_key) = ("0".repeat(64), "1".repeat(64));
    part(
        "DATABASE_URL",
        &[
            ("DATABASE_OWNER_URL", "postgres://o@h/d"),
            ("BACKUP_DATABASE_URL", "postgres://b@h/d"),
            ("DATABASE_URL", "postgres://l@h/d"),
        ],
    );
    part(
        "S3_ENDPOINT",
        &[("S3_BUCKET", BUCKET), ("S3_ACCESS_KEY", "k"), ("S3_SECRET_KEY", "k"), ("S3_ENDPOINT", "http://h")],
    );
    if mail {
        part("SMTP_URL", &[("MAIL_FROM", MAIL_FROM), ("SMTP_URL", "smtp://h")]);
    }
    part("SMS_PROVIDER", &[("SMS_PROVIDER", "none")]);
    part("PUBLIC_URL", &[("PUBLIC_URL", "http://h")]);
    part("JWT_ACCESS_KEYS", &[("JWT_ACCESS_KEYS", &format!("k:{key}"))]);
    part("JWT_REFRESH_KEY", &[("JWT_REFRESH_KEY", &other_key)]);
    part("ENCRYPTION_KEY", &[("ENCRYPTION_KEY", &key)]);
    part("CERTIFICATE_KEY", &[("CERTIFICATE_KEY", &other_key)]);
    if env.get("MASTER_KEYS_FILE").is_none() {
        env.set_default("MASTER_KEYS", format!("k:{key}"));
    }
    if env.get("BACKUP_KEYS_FILE").is_none() {
        env.set_default("BACKUP_KEYS", format!("k:{key}"));
    }
}

/// What is said where no platform runs.
pub(crate) const NOT_RUNNING: &str =
    "no platform runs here: start one with `cargo run`, or set DATABASE_URL to the database of another";

/// The address, for the login role, of the database of the platform that another process runs on `folder`.
pub(crate) fn running_database(folder: &Path) -> Result<String, Failure> {
    let folder = folder.canonicalize().map_err(|_| NOT_RUNNING)?;
    let port = postgres::find(&folder.join("postgres"))?.ok_or(NOT_RUNNING)?;
    let keys = secrets::find(&folder.join("keys.env"))?.ok_or(NOT_RUNNING)?;
    let password = keys.iter().find(|(name, _)| name == DATABASE_PASSWORD).map(|(_, key)| key.as_str());
    Ok(postgres::url(port, LOGIN, password, DATABASE))
}

/// The object store and the keys of the platform that is kept in `folder`, for settings that name none. The store is served here as
/// long as the answer lives, whether or not the platform runs.
pub(crate) async fn kept(folder: &Path, env: &mut Env) -> Result<Option<ObjectStore>, Failure> {
    for (name, value) in secrets::find(&folder.join("keys.env"))?.unwrap_or_default() {
        env.set_default(&name, value);
    }
    let objects = folder.join("storage");
    if env.get("S3_ENDPOINT").is_some() || !objects.is_dir() {
        return Ok(None);
    }
    let storage = ObjectStore::start(objects, ANY_PORT).await?;
    introduce_storage(&storage, env);
    Ok(Some(storage))
}

fn introduce_storage(storage: &ObjectStore, env: &mut Env) {
    env.set_default("S3_ENDPOINT", storage.endpoint());
    env.set_default("S3_BUCKET", BUCKET.to_owned());
    env.set_default("S3_ACCESS_KEY", storage.access_key().to_owned());
    env.set_default("S3_SECRET_KEY", storage.secret_key().to_owned());
}

/// Removes everything that a local platform kept; refused while one runs.
pub(crate) async fn reset(folder: &Path) -> Result<(), Failure> {
    if !folder.exists() {
        return Ok(());
    }
    postgres::remove(folder.canonicalize()?.join("postgres")).await?;
    fs::remove_dir_all(folder).map_err(|error| format!("cannot remove {}: {error}", folder.display()).into())
}
