//! How messages leave: by whom, in which order, how often.

use lettre::message::Mailbox;
use permanence_domain::{
    config::{Env, Secret, http_url, parsed},
    identity::TokenHashes,
    notifications::receipts::webhook_base,
};
use url::Url;

use super::providers;
use crate::clients::{
    BrevoSettings,
    failover::Rate,
    sms::{OvhSettings, TwilioSettings},
};

/// How messages leave.
#[derive(Debug, Clone)]
pub struct MessagingConfig {
    /// Who carries mail, the preferred one first.
    pub mail: Vec<Rated<MailConfig>>,
    /// Who mails come from.
    pub mail_from: String,
    /// Who carries SMS, the preferred one first. With nobody, patients are reminded by email only.
    pub sms: Vec<Rated<SmsConfig>>,
    /// Where links in mails lead.
    pub public_url: Url,
    /// Hashes the tokens of links.
    pub hashes: TokenHashes,
}

/// A provider with the rate that it allows; none is no limit.
#[derive(Debug, Clone)]
pub struct Rated<T> {
    /// How to reach it.
    pub provider: T,
    /// How many messages a second it takes.
    pub rate: Option<Rate>,
}

/// Who carries mail.
#[derive(Debug, Clone)]
pub enum MailConfig {
    /// The mail server at this URL.
    Smtp(Secret),
    /// Brevo.
    Brevo(BrevoSettings),
}

/// Who carries SMS.
#[derive(Debug, Clone)]
pub enum SmsConfig {
    /// OVHcloud.
    Ovh(OvhSettings),
    /// Twilio.
    Twilio(TwilioSettings),
    /// Brevo, with the sender that a phone shows.
    Brevo(BrevoSettings, String),
}

impl MessagingConfig {
    /// Reads the variables of mail and SMS; `None` means that problems were noted.
    pub fn read(env: &mut Env) -> Option<Self> {
        let mail = mail(env);
        let mail_from = env.required("MAIL_FROM", "an address such as rappels@example.fr", |text| {
            text.parse::<Mailbox>().ok().map(|_| text.to_owned())
        });
        let public_url = env.required("PUBLIC_URL", "the URL that links in mails begin with", http_url);
        let key = env.secret("JWT_REFRESH_KEY", "a secret of at least 32 characters", |text| {
            text.chars().count() >= 32
        });
        let sms = sms(env);
        Some(Self {
            mail: mail?,
            mail_from: mail_from?,
            sms: sms?,
            public_url: public_url?,
            hashes: TokenHashes::new(key?),
        })
    }
}

fn sms(env: &mut Env) -> Option<Vec<Rated<SmsConfig>>> {
    let expected = "ovh, twilio, brevo, several of them separated by commas, or none";
    let names = env.required("SMS_PROVIDER", expected, |text| match text {
        "none" => Some(Vec::new()),
        _ => in_order(text, &["ovh", "twilio", "brevo"]),
    })?;
    let callbacks = webhook_base(env);
    let read: Vec<_> = names
        .iter()
        .map(|name| match name.as_str() {
            "ovh" => rated(env, "OVH_RATE", |env| providers::ovh(env).map(SmsConfig::Ovh)),
            "twilio" => rated(env, "TWILIO_RATE", |env| {
                providers::twilio(env, callbacks.as_ref()).map(SmsConfig::Twilio)
            }),
            _ => rated(env, "BREVO_RATE", |env| {
                let account = providers::brevo(env);
                let sender = providers::sender(env);
                Some(SmsConfig::Brevo(account?, sender?))
            }),
        })
        .collect();
    read.into_iter().collect()
}

fn mail(env: &mut Env) -> Option<Vec<Rated<MailConfig>>> {
    let default = vec!["smtp".to_owned()];
    let names = env.or("MAIL_PROVIDER", default, "smtp, brevo, or both separated by a comma", |text| {
        in_order(text, &["smtp", "brevo"])
    })?;
    let read: Vec<_> = names
        .iter()
        .map(|name| match name.as_str() {
            "smtp" => rated(env, "SMTP_RATE", |env| providers::smtp(env).map(MailConfig::Smtp)),
            _ => rated(env, "BREVO_RATE", |env| providers::brevo(env).map(MailConfig::Brevo)),
        })
        .collect();
    read.into_iter().collect()
}

/// Reads a list of names, each a known one and given once.
fn in_order(text: &str, known: &[&str]) -> Option<Vec<String>> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    let sound =
        |(place, name): (usize, &String)| known.contains(&name.as_str()) && !names[..place].contains(name);
    names.iter().enumerate().all(sound).then_some(names)
}

fn rated<T>(env: &mut Env, name: &str, read: impl FnOnce(&mut Env) -> Option<T>) -> Option<Rated<T>> {
    let rate = env.or(name, None, "messages a second, from 0.001 to 1000", |text| {
        parsed(text).and_then(Rate::per_second).map(Some)
    });
    let provider = read(env);
    Some(Rated { provider: provider?, rate: rate? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 15] = [
        ("SMS_PROVIDER", "twilio, ovh,brevo"),
        ("SMS_SENDER", "Cabinet"),
        ("TWILIO_ACCOUNT_SID", "AC1"),
        ("TWILIO_AUTH_TOKEN", "t"),
        ("TWILIO_RATE", "1.5"),
        ("OVH_APPLICATION_KEY", "k"),
        ("OVH_APPLICATION_SECRET", "s"),
        ("OVH_CONSUMER_KEY", "c"),
        ("OVH_SMS_SERVICE", "sms-1"),
        ("BREVO_API_KEY", "b"),
        ("MAIL_PROVIDER", "smtp,brevo"),
        ("SMTP_URL", "smtp://localhost"),
        ("MAIL_FROM", "rappels@example.fr"),
        ("PUBLIC_URL", "https://app.example.fr/soins/"),
        ("JWT_REFRESH_KEY", "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"),
    ];

    fn read(changes: &[(&str, &str)]) -> Result<MessagingConfig, Vec<String>> {
        let pairs = ALL.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut env = Env::of(pairs.chain(changes).map(owned));
        let config = MessagingConfig::read(&mut env);
        env.finish(config).map_err(|error| error.0)
    }

    #[test]
    fn providers_come_in_the_order_given_each_with_its_rate() {
        let config = read(&[]).unwrap();
        let [twilio, ovh, brevo] = &config.sms[..] else { panic!("{config:?}") };
        assert!(matches!(brevo.provider, SmsConfig::Brevo(_, ref sender) if sender == "Cabinet"));
        assert!(matches!(ovh.provider, SmsConfig::Ovh(_)) && ovh.rate.is_none());
        assert_eq!(twilio.rate, Rate::per_second(1.5));
        let SmsConfig::Twilio(settings) = &twilio.provider else { panic!("{twilio:?}") };
        let callback = "https://app.example.fr/soins/api/v1/webhooks/twilio";
        assert_eq!(settings.status_callback.as_deref(), Some(callback));
        assert!(matches!(config.mail[0].provider, MailConfig::Smtp(_)));
        assert!(matches!(config.mail[1].provider, MailConfig::Brevo(_)));
    }

    #[test]
    fn mail_goes_by_smtp_unless_told_otherwise_and_only_then_needs_its_url() {
        assert!(matches!(read(&[("MAIL_PROVIDER", "")]).unwrap().mail[0].provider, MailConfig::Smtp(_)));
        let config = read(&[("MAIL_PROVIDER", "brevo"), ("SMTP_URL", ""), ("SMS_PROVIDER", "none")]).unwrap();
        assert_eq!((config.mail.len(), config.sms.len()), (1, 0));
    }

    #[test]
    fn reports_are_called_back_only_where_they_arrive_unseen() {
        let twilio = |changes: &[(&str, &str)]| match &read(changes).unwrap().sms[0].provider {
            SmsConfig::Twilio(settings) => settings.status_callback.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(twilio(&[("PUBLIC_URL", "http://127.0.0.1:8080")]), None);
        let named = [("PUBLIC_URL", "http://127.0.0.1:8080"), ("WEBHOOK_URL", "http://127.0.0.1:9")];
        assert_eq!(twilio(&named).as_deref(), Some("http://127.0.0.1:9/api/v1/webhooks/twilio"));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let list = "SMS_PROVIDER: read `ovh,ovh`, expected ovh, twilio, brevo, several of them separated by commas, or none";
        let problems =
            read(&[("SMS_PROVIDER", "ovh,ovh"), ("MAIL_PROVIDER", "post"), ("MAIL_FROM", "nobody")]);
        assert_eq!(
            problems.unwrap_err(),
            [
                "MAIL_PROVIDER: read `post`, expected smtp, brevo, or both separated by a comma",
                "MAIL_FROM: read `nobody`, expected an address such as rappels@example.fr",
                list,
            ]
        );
        let problems = read(&[
            ("BREVO_API_KEY", ""),
            ("BREVO_RATE", "many"),
            ("OVH_CONSUMER_KEY", ""),
            ("TWILIO_RATE", "0"),
            ("SMS_SENDER", "Cabinet des Lilas"),
        ]);
        assert_eq!(
            problems.unwrap_err(),
            [
                "BREVO_RATE: read `many`, expected messages a second, from 0.001 to 1000",
                "BREVO_API_KEY: read nothing, expected the API key",
                "TWILIO_RATE: read `0`, expected messages a second, from 0.001 to 1000",
                "OVH_CONSUMER_KEY: read nothing, expected the consumer key",
                "SMS_SENDER: read `Cabinet des Lilas`, expected at most 11 letters and digits, or a number",
            ]
        );
    }
}
