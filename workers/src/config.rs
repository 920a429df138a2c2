//! The workers' configuration: each pool reads what its jobs need, and nothing else.

use std::net::SocketAddr;

use lettre::message::Mailbox;
use permanence_domain::{
    config::{ConfigError, DatabaseConfig, Env, Secret, http_url, parsed},
    identity::TokenHashes,
};
use url::Url;

use crate::clients::{
    HttpTimeouts,
    sms::{OvhSettings, TwilioSender, TwilioSettings},
};

/// All that a worker process needs to know.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The database.
    pub database: DatabaseConfig,
    /// Jobs performed at once.
    pub concurrency: usize,
    /// Where `/metrics` is served, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Mail and SMS, in the pool that sends.
    pub messaging: Option<MessagingConfig>,
}

/// How messages leave.
#[derive(Debug, Clone)]
pub struct MessagingConfig {
    /// The mail server.
    pub smtp_url: Secret,
    /// Who mails come from.
    pub mail_from: String,
    /// Who carries SMS.
    pub sms: SmsConfig,
    /// Where links in mails lead.
    pub public_url: Url,
    /// Hashes the tokens of links.
    pub hashes: TokenHashes,
}

/// Who carries SMS.
#[derive(Debug, Clone)]
pub enum SmsConfig {
    /// Nobody: patients are reminded by email only.
    None,
    /// OVHcloud.
    Ovh(OvhSettings),
    /// Twilio.
    Twilio(TwilioSettings),
}

impl WorkerConfig {
    /// Reads what the pool needs, or tells everything that is wrong.
    pub fn from_env(mut env: Env, sends: bool) -> Result<Self, ConfigError> {
        let config = Self::read(&mut env, sends);
        env.finish(config)
    }

    fn read(env: &mut Env, sends: bool) -> Option<Self> {
        let database = DatabaseConfig::read(env);
        let concurrency = env.or("WORKER_CONCURRENCY", 16, "a whole number from 1 to 1000", |text| {
            parsed(text).filter(|count| (1..=1_000).contains(count))
        });
        let metrics_listen =
            env.or("METRICS_LISTEN", None, "an address and port such as 127.0.0.1:9100", |text| {
                parsed(text).map(Some)
            });
        let messaging = if sends { MessagingConfig::read(env).map(Some) } else { Some(None) };
        Some(Self {
            database: database?,
            concurrency: concurrency?,
            metrics_listen: metrics_listen?,
            messaging: messaging?,
        })
    }
}

impl MessagingConfig {
    /// Reads the `SMTP_…`, `MAIL_…`, `SMS_…` variables; `None` means that problems were noted.
    pub fn read(env: &mut Env) -> Option<Self> {
        let smtp_url =
            env.secret("SMTP_URL", "a URL such as smtp://user:password@mail.example.fr:587", |text| {
                Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host())
            });
        let mail_from = env.required("MAIL_FROM", "an address such as rappels@example.fr", |text| {
            text.parse::<Mailbox>().ok().map(|_| text.to_owned())
        });
        let public_url = env.required("PUBLIC_URL", "the URL that links in mails begin with", http_url);
        let key = env.secret("JWT_REFRESH_KEY", "a secret of at least 32 characters", |text| {
            text.chars().count() >= 32
        });
        let sms = sms(env);
        Some(Self {
            smtp_url: smtp_url?,
            mail_from: mail_from?,
            sms: sms?,
            public_url: public_url?,
            hashes: TokenHashes::new(key?),
        })
    }
}

fn sms(env: &mut Env) -> Option<SmsConfig> {
    let provider = env.required("SMS_PROVIDER", "ovh, twilio or none", |text| {
        matches!(text, "ovh" | "twilio" | "none").then(|| text.to_owned())
    })?;
    match provider.as_str() {
        "ovh" => ovh(env).map(SmsConfig::Ovh),
        "twilio" => twilio(env).map(SmsConfig::Twilio),
        _ => Some(SmsConfig::None),
    }
}

fn text(env: &mut Env, name: &str, expected: &str) -> Option<String> {
    env.required(name, expected, parsed)
}

fn endpoint(env: &mut Env, name: &str, default: &str) -> Option<String> {
    env.or(name, default.to_owned(), "an https URL", |text| http_url(text).map(|_| text.to_owned()))
}

fn ovh(env: &mut Env) -> Option<OvhSettings> {
    let endpoint = endpoint(env, "OVH_ENDPOINT", OvhSettings::ENDPOINT);
    let application_key = text(env, "OVH_APPLICATION_KEY", "the application key");
    let application_secret = env.secret("OVH_APPLICATION_SECRET", "the application secret", |_| true);
    let consumer_key = env.secret("OVH_CONSUMER_KEY", "the consumer key", |_| true);
    let service = text(env, "OVH_SMS_SERVICE", "the SMS account such as sms-xx12345-1");
    let sender = env.or("SMS_SENDER", None, "at most 11 letters and digits, or a number", |text| {
        let number = text.strip_prefix('+').unwrap_or(text);
        let is_number = (3..=15).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let is_name = (1..=11).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_number || is_name).then(|| Some(text.to_owned()))
    });
    Some(OvhSettings {
        endpoint: endpoint?,
        application_key: application_key?,
        application_secret: application_secret?.expose().to_owned(),
        consumer_key: consumer_key?.expose().to_owned(),
        service: service?,
        sender: sender?,
        timeouts: HttpTimeouts::default(),
    })
}

fn twilio(env: &mut Env) -> Option<TwilioSettings> {
    let endpoint = endpoint(env, "TWILIO_ENDPOINT", TwilioSettings::ENDPOINT);
    let account_sid = text(env, "TWILIO_ACCOUNT_SID", "the account's SID");
    let auth_token = env.secret("TWILIO_AUTH_TOKEN", "the auth token", |_| true);
    let sender = if env.get("TWILIO_MESSAGING_SERVICE_SID").is_some() {
        text(env, "TWILIO_MESSAGING_SERVICE_SID", "a SID").map(TwilioSender::MessagingService)
    } else {
        text(env, "SMS_SENDER", "a sender, or TWILIO_MESSAGING_SERVICE_SID").map(TwilioSender::From)
    };
    Some(TwilioSettings {
        endpoint: endpoint?,
        account_sid: account_sid?,
        auth_token: auth_token?.expose().to_owned(),
        sender: sender?,
        timeouts: HttpTimeouts::default(),
    })
}
