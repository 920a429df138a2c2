//! What jobs work with.

use std::sync::Arc;

use permanence_domain::{
    Error, clock::SharedClock, db::Db, error::Result, identity::TokenHashes, notifications::Links,
    privacy::Signer, storage::Storage, vault::Vault,
};
use url::Url;

use crate::{
    backup::BackupServices,
    clients::{
        failover::{Carrier, Rate, Route},
        mail::{BrevoMail, MailProvider, MailRoute},
        sms::{BrevoSms, Ovh, SmsProvider, SmsRoute, Twilio},
        smtp::Smtp,
    },
    config::{MailConfig, MessagingConfig, Rated, SmsConfig},
};

/// What goes out to people, and how.
#[derive(Debug)]
pub struct Messaging {
    /// Mail.
    pub mail: MailRoute,
    /// SMS, where the platform has a provider.
    pub sms: Option<SmsRoute>,
    /// Where links in mails lead.
    pub public_url: Url,
    /// Hashes the tokens of links.
    pub hashes: TokenHashes,
    /// The links of messages to patients.
    pub links: Links,
}

impl Messaging {
    /// Connects nothing yet; a wrong setting is told by the name of its variable.
    pub fn new(config: &MessagingConfig, clock: SharedClock) -> std::result::Result<Self, String> {
        let mail = route(&config.mail, clock.clone(), |provider| mail(provider, &config.mail_from))?;
        let time = clock.clone();
        let sms = route(&config.sms, clock, |provider| sms(provider, &time))?;
        Ok(Self {
            mail: mail.ok_or("MAIL_PROVIDER: nobody carries mail")?,
            sms,
            public_url: config.public_url.clone(),
            hashes: config.hashes.clone(),
            links: Links::new(config.public_url.clone(), config.hashes.clone()),
        })
    }
}

/// The route over the providers of a channel, if it has any.
fn route<C, P: Carrier>(
    configs: &[Rated<C>],
    clock: SharedClock,
    open: impl Fn(&C) -> std::result::Result<P, String>,
) -> std::result::Result<Option<Route<P>>, String> {
    let open = |config: &Rated<C>| Ok((open(&config.provider)?, config.rate));
    let providers: Vec<(P, Option<Rate>)> =
        configs.iter().map(open).collect::<std::result::Result<_, String>>()?;
    Ok((!providers.is_empty()).then(|| Route::new(providers, clock)))
}

fn named(name: &'static str) -> impl Fn(String) -> String {
    move |problem| format!("{name}: {problem}")
}

fn mail(config: &MailConfig, from: &str) -> std::result::Result<MailProvider, String> {
    match config {
        MailConfig::Smtp(url) => {
            Smtp::new(url.expose(), from).map(MailProvider::Smtp).map_err(named("SMTP_URL or MAIL_FROM"))
        }
        MailConfig::Brevo(settings) => BrevoMail::new(settings.clone(), from)
            .map(MailProvider::Brevo)
            .map_err(named("BREVO_… or MAIL_FROM")),
    }
}

fn sms(config: &SmsConfig, clock: &SharedClock) -> std::result::Result<SmsProvider, String> {
    match config {
        SmsConfig::Ovh(settings) => {
            let clock = clock.clone();
            let now = Arc::new(move || clock.now().timestamp());
            Ovh::new(settings.clone(), now).map(SmsProvider::Ovh).map_err(named("OVH_…"))
        }
        SmsConfig::Twilio(settings) => {
            Twilio::new(settings.clone()).map(SmsProvider::Twilio).map_err(named("TWILIO_…"))
        }
        SmsConfig::Brevo(settings, sender) => {
            BrevoSms::new(settings.clone(), sender.clone()).map(SmsProvider::Brevo).map_err(named("BREVO_…"))
        }
    }
}

/// Everything a job may need. A pool that sends nothing has no messaging.
#[derive(Debug)]
pub struct Services {
    /// The database.
    pub db: Db,
    /// Mail and SMS.
    pub messaging: Option<Messaging>,
    /// The object store.
    pub storage: Option<Storage>,
    /// The keys of what is sealed.
    pub vault: Option<Vault>,
    /// Signs the certificates of erasures.
    pub signer: Option<Signer>,
    /// Where the audit trail is anchored: another store, or the same.
    pub anchors: Option<Storage>,
    /// Where backups lie, and the notes of erasures beside them: another store, or the same.
    pub backups: Option<Storage>,
    /// What backs up, in the pool that does.
    pub backup: Option<Arc<BackupServices>>,
}

impl Services {
    /// Mail and SMS, in a pool that has them.
    pub fn messaging(&self) -> Result<&Messaging> {
        self.messaging.as_ref().ok_or_else(|| Error::internal("this pool is configured without mail and SMS"))
    }

    /// The object store, in a pool that has it.
    pub fn storage(&self) -> Result<&Storage> {
        configured(self.storage.as_ref())
    }

    /// Where anchors lie, in a pool that has an object store.
    pub fn anchors(&self) -> Result<&Storage> {
        configured(self.anchors.as_ref())
    }

    /// Where backups lie, in a pool that has an object store.
    pub fn backups(&self) -> Result<&Storage> {
        configured(self.backups.as_ref())
    }

    /// What backs up, in the pool that does.
    pub fn backup(&self) -> Result<&BackupServices> {
        self.backup.as_deref().ok_or_else(|| Error::internal("this pool is configured without backups"))
    }

    /// The keys of what is sealed, in the pool that has them.
    pub fn vault(&self) -> Result<&Vault> {
        self.vault.as_ref().ok_or_else(|| Error::internal("this pool is configured without keys"))
    }

    /// Signs the certificates of erasures, in the pool that has the key.
    pub fn signer(&self) -> Result<&Signer> {
        self.signer.as_ref().ok_or_else(|| Error::internal("this pool is configured without a key to sign"))
    }
}

fn configured(store: Option<&Storage>) -> Result<&Storage> {
    store.ok_or_else(|| Error::internal("this pool is configured without an object store"))
}
