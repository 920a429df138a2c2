//! What providers report of messages after they took them: who may report, what a report says, and its record.
//! Stable codes only: no number, no address and no provider's text comes through here.

mod awaiting;
pub mod brevo;
pub mod jobs;
pub mod ovh;
mod record;
pub mod twilio;

use chrono::{DateTime, Utc};
use url::Url;

use crate::config::{Env, http_url, under};

pub use awaiting::awaiting;
pub use record::{Recorded, record};

/// Who reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// OVHcloud, which is asked.
    Ovh,
    /// Twilio, which calls back.
    Twilio,
    /// Brevo, which calls back.
    Brevo,
}

impl Provider {
    /// The name, as receipts and paths give it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ovh => "ovh",
            Self::Twilio => "twilio",
            Self::Brevo => "brevo",
        }
    }

    /// The provider of a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ovh, Self::Twilio, Self::Brevo].into_iter().find(|provider| provider.name() == name)
    }
}

/// Reads where providers can reach the API from outside, if anywhere: `WEBHOOK_URL`, else `PUBLIC_URL` if it is
/// encrypted. A wrong one is noted in the environment.
pub fn webhook_base(env: &mut Env) -> Option<Url> {
    let expected = "the URL at which providers reach the API";
    let named = env.or("WEBHOOK_URL", None, expected, |text| http_url(text).map(Some)).flatten();
    named.or_else(|| env.get("PUBLIC_URL").and_then(http_url).filter(|url| url.scheme() == "https"))
}

/// Where a provider calls back, given where it reaches the API.
pub fn webhook_url(base: &Url, provider: Provider) -> String {
    under(base, &format!("api/v1/webhooks/{}", provider.name())).into()
}

/// What became of a message that a provider took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Who took it.
    pub provider: Provider,
    /// The provider's name for the message, as its receipt gave it.
    pub message_id: String,
    /// What became of it.
    pub status: DeliveryStatus,
    /// When, by the provider's word where it gives one, else when the report came.
    pub at: DateTime<Utc>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It is on the phone or in the mailbox.
    Delivered,
    /// It did not arrive.
    Failed {
        /// Whether another one to the same place would fail too.
        permanent: bool,
        /// The stable word for what happened.
        code: String,
    },
    /// The recipient's mail server sent it back.
    Bounced {
        /// Whether the address itself is at fault.
        hard: bool,
        /// The stable word for what happened.
        code: String,
    },
    /// The recipient called it spam.
    Complained,
    /// The recipient wants no more messages.
    OptedOut,
    /// Nothing final.
    Pending,
}

impl DeliveryStatus {
    /// The event that it is in a message's log, with its code; `None` while nothing is final.
    pub(crate) fn event(&self) -> Option<(&'static str, Option<&str>)> {
        match self {
            Self::Delivered => Some(("delivered", None)),
            Self::Failed { code, .. } | Self::Bounced { code, .. } => Some(("undelivered", Some(code))),
            Self::Complained => Some(("complained", None)),
            Self::OptedOut => Some(("opted_out", None)),
            Self::Pending => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_lies_under_the_base() {
        for (base, expected) in [
            ("https://app.example.fr", "https://app.example.fr/api/v1/webhooks/twilio"),
            (
                "https://app.example.fr:8443/soins/?a#b",
                "https://app.example.fr:8443/soins/api/v1/webhooks/twilio",
            ),
        ] {
            assert_eq!(webhook_url(&base.parse().unwrap(), Provider::Twilio), expected);
        }
    }

    #[test]
    fn a_name_leads_back_to_its_provider() {
        for provider in [Provider::Ovh, Provider::Twilio, Provider::Brevo] {
            assert_eq!(Provider::parse(provider.name()), Some(provider));
        }
        assert_eq!(Provider::parse("smtp"), None);
    }
}
