//! Twilio Programmable Messaging: `POST /2010-04-01/Accounts/{sid}/Messages.json`.
//! The provider drops no duplicate and takes no key: an uncertain message is looked for by number and time.

use std::fmt;

use chrono::{DateTime, TimeDelta};
use permanence_domain::notifications::receipts;
use reqwest::Client;
use serde::Deserialize;
use url::Url;

use super::{TextMessage, path_segment};
use crate::clients::http::{self, Answer, HttpTimeouts};
use crate::clients::lookup::{Lookup, Sought};
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
struct Page {
    messages: Vec<Message>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    sid: String,
    body: String,
    direction: String,
    /// As in mails (RFC 2822).
    date_created: String,
    status: String,
    error_code: Option<u32>,
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

    /// Looks for a message to the same number with the same words, since the provider keeps no key of ours.
    pub(in crate::clients) async fn look_up(&self, sought: &Sought<'_>) -> Result<Lookup, SendError> {
        let TwilioSettings { account_sid, auth_token, sender, .. } = &self.settings;
        let mut url = Url::parse(&self.url).map_err(|_| SendError::permanent("request_not_built"))?;
        url.query_pairs_mut().append_pair("To", sought.to).append_pair("PageSize", "50");
        let request = self.client.get(url).basic_auth(account_sid, Some(auth_token));
        let answer = http::exchange(request).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        let page: Page = serde_json::from_slice(&answer.body)
            .map_err(|_| SendError::temporary("twilio_unreadable_answer"))?;
        Ok(among(&page, sought, matches!(sender, TwilioSender::MessagingService(_))))
    }

    pub(super) async fn send(&self, message: &TextMessage<'_>) -> Result<Receipt, SendError> {
        let TwilioSettings { account_sid, auth_token, sender, .. } = &self.settings;
        let sender = match (message.sender, sender) {
            (Some(name), _) => ("From", name),
            (None, TwilioSender::From(number)) => ("From", number.as_str()),
            (None, TwilioSender::MessagingService(sid)) => ("MessagingServiceSid", sid.as_str()),
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

/// The provider's clock and ours may differ by this much.
const CLOCKS: TimeDelta = TimeDelta::minutes(1);

/// Finds a message on the page of the latest ones to its number. A messaging service may write other letters (its smart
/// encoding), so that another message of that time says nothing.
fn among(page: &Page, sought: &Sought<'_>, may_differ: bool) -> Lookup {
    let since = sought.since - CLOCKS;
    let created = |message: &Message| {
        DateTime::parse_from_rfc2822(&message.date_created).map_or(since, |at| at.to_utc())
    };
    let is_whole =
        page.next_page_uri.is_none() || page.messages.iter().any(|message| created(message) < since);
    let ours = |message: &&Message| message.direction.starts_with("outbound") && created(message) >= since;
    let mut later = page.messages.iter().filter(ours).peekable();
    let any = later.peek().is_some();
    match later.find(|message| message.body == sought.body) {
        Some(message) => Lookup::Found {
            receipt: Receipt { provider: NAME, message_id: message.sid.clone() },
            status: receipts::twilio::status(
                &message.status,
                message.error_code.map(|code| code.to_string()).as_deref(),
            ),
        },
        None if !is_whole || may_differ && any => Lookup::NEVER,
        None => Lookup::NotFound,
    }
}

/// Whether a code is about `From`: not allowed in that country, not a sender, not ours, not able to send.
pub(super) fn refuses_sender(code: &str) -> bool {
    matches!(
        code,
        "twilio_21212"
            | "twilio_21603"
            | "twilio_21606"
            | "twilio_21612"
            | "twilio_21659"
            | "twilio_21660"
            | "twilio_21661"
    )
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
