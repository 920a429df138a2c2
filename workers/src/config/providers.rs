//! What each provider of mail and SMS needs to know.

use permanence_domain::{
    config::{Env, Secret, http_url, parsed},
    notifications::receipts::{self, Provider},
};
use url::Url;

use crate::clients::{
    BrevoSettings, HttpTimeouts,
    sms::{OvhSettings, TwilioSender, TwilioSettings},
};

fn text(env: &mut Env, name: &str, expected: &str) -> Option<String> {
    env.required(name, expected, parsed)
}

fn endpoint(env: &mut Env, name: &str, default: &str) -> Option<String> {
    env.or(name, default.to_owned(), "an https URL", |text| http_url(text).map(|_| text.to_owned()))
}

const SENDER: &str = "at most 11 letters and digits, or a number";

fn is_sender(text: &str) -> bool {
    let number = text.strip_prefix('+').unwrap_or(text);
    let is_number = (3..=15).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let is_name = (1..=11).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    is_number || is_name
}

/// The sender that a phone shows.
pub(super) fn sender(env: &mut Env) -> Option<String> {
    env.required("SMS_SENDER", SENDER, |text| is_sender(text).then(|| text.to_owned()))
}

pub(super) fn ovh(env: &mut Env) -> Option<OvhSettings> {
    let endpoint = endpoint(env, "OVH_ENDPOINT", OvhSettings::ENDPOINT);
    let application_key = text(env, "OVH_APPLICATION_KEY", "the application key");
    let application_secret = env.secret("OVH_APPLICATION_SECRET", "the application secret", |_| true);
    let consumer_key = env.secret("OVH_CONSUMER_KEY", "the consumer key", |_| true);
    let service = text(env, "OVH_SMS_SERVICE", "the SMS account such as sms-xx12345-1");
    let sender = env.or("SMS_SENDER", None, SENDER, |text| is_sender(text).then(|| Some(text.to_owned())));
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

/// `callbacks` is where the API can be reached from outside, if anywhere.
pub(super) fn twilio(env: &mut Env, callbacks: Option<&Url>) -> Option<TwilioSettings> {
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
        status_callback: callbacks.map(|base| receipts::webhook_url(base, Provider::Twilio)),
        timeouts: HttpTimeouts::default(),
    })
}

pub(super) fn brevo(env: &mut Env) -> Option<BrevoSettings> {
    let endpoint = endpoint(env, "BREVO_ENDPOINT", BrevoSettings::ENDPOINT);
    let api_key = env.secret("BREVO_API_KEY", "the API key", |_| true);
    Some(BrevoSettings {
        endpoint: endpoint?,
        api_key: api_key?.expose().to_owned(),
        timeouts: HttpTimeouts::default(),
    })
}

/// The mail server's URL.
pub(super) fn smtp(env: &mut Env) -> Option<Secret> {
    env.secret("SMTP_URL", "a URL such as smtp://user:password@mail.example.fr:587", |text| {
        Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host())
    })
}
