//! Twilio Programmable Messaging: `POST /2010-04-01/Accounts/{sid}/Messages.json`.
//! The provider drops no duplicate and takes no key: an uncertain message is looked for by number and time.

use std::fmt;

use reqwest::Client;
use serde::Deserialize;

use super::{TextMessage, path_segment};
use crate::clients::http::{self, Answer, HttpTimeouts};
use crate::clients::{Receipt, SendError};

pub(super) const NAME: &str = "twilio";

/// What a message is sent from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TwilioSender {
    /// A number in E.164, or an alphanumeric name of at most 11 characters.
    From(String),
    /// A messaging service, which chooses among its senders.
    MessagingService(String),
}

/// How to reach Twilio, and as whom.
#[derive(Clone)]
pub struct TwilioSettings {
    /// Usually [`TwilioSettings::ENDPOINT`].
    pub endpoint: String,
    /// The account (`AC…`).
    pub account_sid: String,
    /// Proves to be the account.
    pub auth_token: String,
    /// What messages are sent from.
    pub sender: TwilioSender,
    /// Where the provider reports what becomes of a message, if anywhere.
    pub status_callback: Option<String>,
    /// How long to wait.
    pub timeouts: HttpTimeouts,
}

impl TwilioSettings {
    /// The provider's API.
    pub const ENDPOINT: &str = "https://api.twilio.com";
}

/// Shows no credential.
impl fmt::Debug for TwilioSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TwilioSettings")
            .field("endpoint", &self.endpoint)
            .field("account_sid", &self.account_sid)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

/// A client of one Twilio account.
pub struct Twilio {
    settings: TwilioSettings,
    url: String,
    client: Client,
}

impl fmt::Debug for Twilio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(formatter)
    }
}

#[derive(Deserialize)]
struct Created {
    sid: String,
}

#[derive(Deserialize)]
struct Refusal {
    code: u32,
}

impl Twilio {
    /// Prepares a client, or says which setting cannot be right.
    pub fn new(settings: TwilioSettings) -> Result<Self, String> {
        path_segment("account SID", &settings.account_sid)?;
        let (client, endpoint) = http::client(&settings.endpoint, settings.timeouts)?;
        let url = format!("{endpoint}/2010-04-01/Accounts/{}/Messages.json", settings.account_sid);
        Ok(Self { settings, url, client })
    }

    pub(super) async fn send(&self, message: &TextMessage<'_>) -> Result<Receipt, SendError> {
        let TwilioSettings { account_sid, auth_token, sender, .. } = &self.settings;
        let sender = match sender {
            TwilioSender::From(number) => ("From", number.as_str()),
            TwilioSender::MessagingService(sid) => ("MessagingServiceSid", sid.as_str()),
        };
        let validity = message.valid_for.as_secs().clamp(1, 36_000).to_string();
        let mut form =
            vec![("To", message.to), ("Body", message.body), ("ValidityPeriod", validity.as_str()), sender];
        form.extend(self.settings.status_callback.as_deref().map(|url| ("StatusCallback", url)));
        let request = self.client.post(&self.url).basic_auth(account_sid, Some(auth_token)).form(&form);
        let answer = http::exchange(request).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        let created: Created = serde_json::from_slice(&answer.body)
            .map_err(|_| SendError::uncertain("twilio_unreadable_answer"))?;
        Ok(Receipt { provider: NAME, message_id: created.sid })
    }
}

/// The provider splits its codes further over time, so the status decides, and few codes correct it.
fn refused(answer: &Answer) -> SendError {
    let Ok(Refusal { code: number }) = serde_json::from_slice(&answer.body) else {
        return http::by_status(answer, format!("twilio_http_{}", answer.status.as_u16()));
    };
    let code = format!("twilio_{number}");
    match number {
        // Not a number, unsubscribed, not a mobile number.
        21211 | 21610 | 21614 => SendError::permanent(code),
        // Too many requests, or messages in the queue.
        14107 | 20429 | 21611 | 30001 |
        // The account or its sender is at fault, which an operator mends: inactive, suspended, no such sender,
        // not ours, not allowed in that region.
        10001 | 20003 | 21212 | 21408 | 21603 | 21606 | 21659..=21661 | 21701..=21705 | 30002 => {
            SendError::Temporary { code, retry_after: answer.retry_after }
        }
        _ => http::by_status(answer, code),
    }
}
