//! What jobs work with.

use std::sync::Arc;

use permanence_domain::{Error, clock::SharedClock, db::Db, error::Result, identity::TokenHashes};
use url::Url;

use crate::{
    clients::{
        sms::{Ovh, OvhSettings, SmsProvider, Twilio},
        smtp::Smtp,
    },
    config::{MessagingConfig, SmsConfig},
};

/// What goes out to people, and how.
#[derive(Debug)]
pub struct Messaging {
    /// Mail.
    pub smtp: Smtp,
    /// SMS, where the platform has a provider.
    pub sms: Option<SmsProvider>,
    /// Where links in mails lead.
    pub public_url: Url,
    /// Hashes the tokens of links.
    pub hashes: TokenHashes,
}

impl Messaging {
    /// Connects nothing yet; a wrong setting is told by the name of its variable.
    pub fn new(config: &MessagingConfig, clock: SharedClock) -> std::result::Result<Self, String> {
        let named = |name: &'static str| move |problem: String| format!("{name}: {problem}");
        let smtp =
            Smtp::new(config.smtp_url.expose(), &config.mail_from).map_err(named("SMTP_URL or MAIL_FROM"))?;
        let sms = match &config.sms {
            SmsConfig::None => None,
            SmsConfig::Ovh(settings) => Some(ovh(settings.clone(), clock)?),
            SmsConfig::Twilio(settings) => {
                Some(SmsProvider::Twilio(Twilio::new(settings.clone()).map_err(named("TWILIO_…"))?))
            }
        };
        Ok(Self { smtp, sms, public_url: config.public_url.clone(), hashes: config.hashes.clone() })
    }
}

fn ovh(settings: OvhSettings, clock: SharedClock) -> std::result::Result<SmsProvider, String> {
    let now = Arc::new(move || clock.now().timestamp());
    Ovh::new(settings, now).map(SmsProvider::Ovh).map_err(|problem| format!("OVH_…: {problem}"))
}

/// Everything a job may need. A pool that sends nothing has no messaging.
#[derive(Debug)]
pub struct Services {
    /// The database.
    pub db: Db,
    /// Mail and SMS.
    pub messaging: Option<Messaging>,
}

impl Services {
    /// Mail and SMS, in a pool that has them.
    pub fn messaging(&self) -> Result<&Messaging> {
        self.messaging.as_ref().ok_or_else(|| Error::internal("this pool is configured without mail and SMS"))
    }
}
