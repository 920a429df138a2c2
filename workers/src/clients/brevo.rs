//! What Brevo's two interfaces share: the account, the request, the words of a refusal
//! (developers.brevo.com/reference). It knows neither mail nor text messages.

use std::fmt;

use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Serialize};

use super::SendError;
use super::http::{self, Answer, HttpTimeouts};

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

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("api-key", &self.settings.api_key).header("accept", "application/json")
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
