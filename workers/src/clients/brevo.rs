//! What Brevo's two interfaces share: the account, the request, the words of a refusal
//! (developers.brevo.com/reference). It knows neither mail nor text messages.

use std::fmt;

use chrono::{DateTime, Utc};
use permanence_domain::notifications::receipts::DeliveryStatus;
use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Serialize};
use url::Url;

use super::http::{self, Answer, HttpTimeouts};
use super::lookup::{Lookup, Sought};
use super::{Receipt, SendError};

pub(super) const NAME: &str = "brevo";

/// How to reach Brevo, and as whom.
#[derive(Clone)]
pub struct BrevoSettings {
    /// Usually [`BrevoSettings::ENDPOINT`].
    pub endpoint: String,
    /// Proves to be the account.
    pub api_key: String,
    /// How long to wait.
    pub timeouts: HttpTimeouts,
}

impl BrevoSettings {
    /// The provider's API.
    pub const ENDPOINT: &str = "https://api.brevo.com";
}

/// Shows no credential.
impl fmt::Debug for BrevoSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BrevoSettings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// An account at Brevo.
pub(super) struct Account {
    settings: BrevoSettings,
    endpoint: String,
    client: Client,
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(formatter)
    }
}

/// The most that the provider lists at once.
const MOST_EVENTS: usize = 100;

#[derive(Deserialize)]
struct Events {
    /// Left out when there are none.
    #[serde(default)]
    events: Vec<Happening>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Happening {
    event: String,
    message_id: String,
    tag: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    message: String,
}

impl Account {
    pub(super) fn new(settings: BrevoSettings) -> Result<Self, String> {
        let (client, endpoint) = http::client(&settings.endpoint, settings.timeouts)?;
        Ok(Self { settings, endpoint, client })
    }

    /// Hands a message over: the provider's answer when it accepted.
    pub(super) async fn post(&self, path: &str, message: &impl Serialize) -> Result<Answer, SendError> {
        let request = self.signed(self.client.post(format!("{}{path}", self.endpoint))).json(message);
        let answer = http::exchange(request).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(refused(&answer)) }
    }

    /// Looks for a message among what happened to its recipient, by its tag.
    ///
    /// The list is narrowed by the recipient and the tag compared here: a narrowing by tag that the provider
    /// understood otherwise would show an absence that is none.
    pub(super) async fn look_up(
        &self,
        path: &str,
        recipient: (&str, &str),
        sought: &Sought<'_>,
        now: DateTime<Utc>,
        status: fn(&str) -> Option<DeliveryStatus>,
    ) -> Result<Lookup, SendError> {
        let mut url = Url::parse(&format!("{}{path}", self.endpoint))
            .map_err(|_| SendError::permanent("request_not_built"))?;
        // Today counts, and the account's day may be another than ours.
        let days = (now - sought.since).num_days().clamp(0, 80) + 2;
        url.query_pairs_mut()
            .append_pair(recipient.0, recipient.1)
            .append_pair("days", &days.to_string())
            .append_pair("limit", &MOST_EVENTS.to_string());
        let answer = http::exchange(self.signed(self.client.get(url))).await?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        let list: Events = serde_json::from_slice(&answer.body)
            .map_err(|_| SendError::temporary("brevo_unreadable_answer"))?;
        Ok(among(&list.events, &sought.key.to_string(), status))
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("api-key", &self.settings.api_key).header("accept", "application/json")
    }
}

/// Finds a message among events, the newest first.
fn among(events: &[Happening], key: &str, status: fn(&str) -> Option<DeliveryStatus>) -> Lookup {
    let mut ours = events.iter().filter(|event| event.tag.as_deref() == Some(key)).peekable();
    let Some(message_id) = ours.peek().map(|event| event.message_id.trim_matches(['<', '>']).to_owned())
    else {
        let untagged = |event: &Happening| event.tag.as_deref().is_none_or(str::is_empty);
        let tells_nothing = events.len() >= MOST_EVENTS || events.iter().any(untagged);
        return if tells_nothing { Lookup::NEVER } else { Lookup::NotFound };
    };
    let last =
        ours.filter_map(|event| status(&event.event)).find(|status| *status != DeliveryStatus::Pending);
    Lookup::Found {
        receipt: Receipt { provider: NAME, message_id },
        status: last.unwrap_or(DeliveryStatus::Pending),
    }
}

/// The provider's words become codes only where they are known ones: another could quote the message.
fn refused(answer: &Answer) -> SendError {
    let status = answer.status.as_u16();
    let Ok(refusal) = serde_json::from_slice::<Refusal>(&answer.body) else {
        return http::by_status(answer, format!("brevo_http_{status}"));
    };
    let temporary =
        |word: &str| SendError::Temporary { code: format!("brevo_{word}"), retry_after: answer.retry_after };
    match refusal.code.as_str() {
        // The account is at fault, which an operator mends.
        word @ ("not_enough_credits" | "unauthorized" | "permission_denied" | "account_under_validation") => {
            temporary(word)
        }
        "too_many_requests" => temporary("too_many_requests"),
        // The key was given before and not answered: that message may have left.
        "duplicate_parameter" | "duplicate_request" => SendError::uncertain("brevo_duplicate"),
        // One code for every field; only the text tells a sender that is not set up from a number that is none.
        "invalid_parameter" | "missing_parameter" if refusal.message.to_lowercase().contains("sender") => {
            temporary("sender_refused")
        }
        word @ ("invalid_parameter" | "missing_parameter" | "out_of_range") => {
            http::by_status(answer, format!("brevo_{word}"))
        }
        _ => http::by_status(answer, format!("brevo_http_{status}")),
    }
}
