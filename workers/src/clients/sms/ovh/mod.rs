//! `OVHcloud` SMS: `POST /1.0/sms/{service}/jobs`, signed (eu.api.ovh.com/console, section `/sms`).
//! The provider drops no duplicate: its tag lets an uncertain message be looked for, not repeated.

mod lookup;

use std::fmt;
use std::sync::Arc;

use permanence_domain::notifications::content::gsm7::{Coding, measure};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{TextMessage, path_segment};
use crate::clients::http::{self, Answer, HttpTimeouts};
use crate::clients::{Receipt, SendError};

pub(super) const NAME: &str = "ovh";

/// The time, in seconds since 1970.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How to reach an `OVHcloud` SMS service, and as whom.
#[derive(Clone)]
pub struct OvhSettings {
    /// Usually [`OvhSettings::ENDPOINT`].
    pub endpoint: String,
    /// Names the application.
    pub application_key: String,
    /// Proves to be the application.
    pub application_secret: String,
    /// Proves the customer's consent to it.
    pub consumer_key: String,
    /// The SMS service (`sms-ab12345-1`).
    pub service: String,
    /// A sender declared with the service; a short number that can be answered without one.
    pub sender: Option<String>,
    /// How long to wait.
    pub timeouts: HttpTimeouts,
}

impl OvhSettings {
    /// The provider's European API.
    pub const ENDPOINT: &str = "https://eu.api.ovh.com";
}

/// Shows no credential.
impl fmt::Debug for OvhSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OvhSettings")
            .field("endpoint", &self.endpoint)
            .field("service", &self.service)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

/// A client of one `OVHcloud` SMS service.
pub struct Ovh {
    settings: OvhSettings,
    endpoint: String,
    client: Client,
    now: Now,
    /// How far the provider's clock is ahead of ours: it refuses what was signed too long ago.
    ahead: Mutex<Option<i64>>,
}

impl fmt::Debug for Ovh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(formatter)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Job<'a> {
    message: &'a str,
    receivers: [&'a str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<&'a str>,
    sender_for_response: bool,
    /// A reminder is no advertisement: no "STOP" is printed under it.
    no_stop_clause: bool,
    priority: &'static str,
    charset: &'static str,
    coding: &'static str,
    /// In minutes.
    validity_period: u64,
    tag: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(default)]
    ids: Vec<i64>,
    #[serde(default)]
    invalid_receivers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    message: String,
}

impl Ovh {
    /// Prepares a client, or says which setting cannot be right.
    pub fn new(settings: OvhSettings, now: Now) -> Result<Self, String> {
        path_segment("SMS service", &settings.service)?;
        let (client, endpoint) = http::client(&settings.endpoint, settings.timeouts)?;
        Ok(Self { settings, endpoint, client, now, ahead: Mutex::new(None) })
    }

    pub(super) async fn send(&self, message: &TextMessage<'_>) -> Result<Receipt, SendError> {
        let body = serde_json::to_string(&self.job(message))
            .map_err(|_| SendError::permanent("request_not_built"))?;
        let answer = self.call(Method::POST, "jobs", body).await?;
        if answer.status.is_success() { accepted(&answer) } else { Err(self.refused(&answer).await) }
    }

    /// Calls what lies under the SMS service, signed.
    async fn call(&self, method: Method, path: &str, body: String) -> Result<Answer, SendError> {
        let url = format!("{}/1.0/sms/{}/{path}", self.endpoint, self.settings.service);
        let time = (self.now)() + self.clock_difference().await?;
        let signature = signature(&self.settings, &method, &url, &body, time);
        let request = self
            .client
            .request(method, url)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header("X-Ovh-Application", &self.settings.application_key)
            .header("X-Ovh-Consumer", &self.settings.consumer_key)
            .header("X-Ovh-Timestamp", time)
            .header("X-Ovh-Signature", signature)
            .body(body);
        http::exchange(request).await
    }

    fn job<'a>(&'a self, message: &TextMessage<'a>) -> Job<'a> {
        let sender = message.sender.or(self.settings.sender.as_deref());
        Job {
            message: message.body,
            receivers: [message.to],
            sender,
            sender_for_response: sender.is_none(),
            no_stop_clause: true,
            priority: "high",
            charset: "UTF-8",
            coding: match measure(message.body).coding {
                Coding::Gsm7 => "7bit",
                Coding::Ucs2 => "8bit",
            },
            validity_period: (message.valid_for.as_secs() / 60).clamp(1, 2880),
            tag: tag(message.key),
        }
    }

    async fn clock_difference(&self) -> Result<i64, SendError> {
        let mut ahead = self.ahead.lock().await;
        if let Some(seconds) = *ahead {
            return Ok(seconds);
        }
        // Whatever goes wrong here, the message itself was not sent.
        let unknown = || SendError::temporary("ovh_no_time");
        let request = self.client.get(format!("{}/1.0/auth/time", self.endpoint));
        let answer = match http::exchange(request).await {
            Ok(answer) if answer.status.is_success() => answer,
            Ok(answer) => {
                return Err(SendError::Temporary {
                    code: format!("ovh_http_{}", answer.status.as_u16()),
                    retry_after: answer.retry_after,
                });
            }
            Err(failure @ SendError::Temporary { .. }) => return Err(failure),
            Err(_) => return Err(unknown()),
        };
        let theirs: i64 = serde_json::from_slice(&answer.body).map_err(|_| unknown())?;
        Ok(*ahead.insert(theirs - (self.now)()))
    }

    async fn refused(&self, answer: &Answer) -> SendError {
        let refusal = serde_json::from_slice::<Refusal>(&answer.body).ok();
        let word = match refusal.as_ref().map(|refusal| refusal.error_code.as_str()) {
            Some("INVALID_SIGNATURE") => "invalid_signature",
            Some("INVALID_CREDENTIAL") => "invalid_credential",
            Some("INVALID_KEY") => "invalid_key",
            Some("NOT_CREDENTIAL") => "not_credential",
            Some("NOT_GRANTED_CALL") => "not_granted_call",
            Some("QUERY_TIME_OUT") => {
                // Our idea of their clock is stale; the next attempt asks again.
                *self.ahead.lock().await = None;
                "query_time_out"
            }
            // No code of its own; only the text tells a sender that is not declared, which an operator mends.
            _ if answer.status.is_client_error()
                && refusal
                    .as_ref()
                    .is_some_and(|refusal| refusal.message.to_lowercase().contains("sender")) =>
            {
                "sender_refused"
            }
            _ => return http::by_status(answer, format!("ovh_http_{}", answer.status.as_u16())),
        };
        SendError::temporary(format!("ovh_{word}"))
    }
}

fn accepted(answer: &Answer) -> Result<Receipt, SendError> {
    let report: Report =
        serde_json::from_slice(&answer.body).map_err(|_| SendError::uncertain("ovh_unreadable_answer"))?;
    match (report.ids.first(), report.invalid_receivers.is_empty()) {
        (Some(id), _) => Ok(Receipt { provider: NAME, message_id: id.to_string() }),
        (None, false) => Err(SendError::permanent("ovh_invalid_receiver")),
        (None, true) => Err(SendError::uncertain("ovh_unreadable_answer")),
    }
}

/// The provider allows a tag 20 characters: the last 20 hexadecimal digits of the key, which in every version
/// of UUID that we use are its random ones.
fn tag(key: Uuid) -> String {
    let digits = key.simple().to_string();
    digits[12..].to_owned()
}

fn signature(settings: &OvhSettings, method: &Method, url: &str, body: &str, time: i64) -> String {
    let OvhSettings { application_secret, consumer_key, .. } = settings;
    let signed = format!("{application_secret}+{consumer_key}+{method}+{url}+{body}+{time}");
    format!("$1${}", hex::encode(Sha1::digest(signed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> OvhSettings {
        OvhSettings {
            endpoint: OvhSettings::ENDPOINT.to_owned(),
            application_key: "7kbG7Bk7S9Nt7ZSV".to_owned(),
            application_secret: "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF".to_owned(),
            consumer_key: "MtSwSrPpNjqfVSmJhLbPyr2i45lSwPU1".to_owned(),
            service: "sms-ab12345-1".to_owned(),
            sender: None,
            timeouts: HttpTimeouts::default(),
        }
    }

    /// The keys, request and result are those of the provider's "First steps with the API".
    #[test]
    fn signs_like_the_published_example() {
        let url = "https://eu.api.ovh.com/1.0/domains/";
        let signature = signature(&settings(), &Method::GET, url, "", 1_366_560_945);
        assert_eq!(signature, "$1$d3705e8afb27a0d2970a322b96550abfc67bb798");
    }

    #[test]
    fn a_tag_keeps_the_random_end_of_the_key_in_20_characters() {
        let key = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        assert_eq!(tag(key), "774bbcceb302099a8057");
    }

    #[test]
    fn refuses_a_service_that_would_change_the_path_and_an_endpoint_in_the_clear() {
        let now: Now = Arc::new(|| 0);
        let service = OvhSettings { service: "../me".to_owned(), ..settings() };
        assert_eq!(
            Ovh::new(service, now.clone()).unwrap_err(),
            "the SMS service must be letters, digits and dashes"
        );
        for endpoint in ["http://eu.api.ovh.com", "ftp://localhost", "eu.api.ovh.com"] {
            assert!(
                Ovh::new(OvhSettings { endpoint: endpoint.to_owned(), ..settings() }, now.clone()).is_err()
            );
        }
        for endpoint in ["http://127.0.0.1:1", "http://sms-sandbox:8080/"] {
            assert!(
                Ovh::new(OvhSettings { endpoint: endpoint.to_owned(), ..settings() }, now.clone()).is_ok()
            );
        }
    }

    #[test]
    fn shows_no_credential() {
        let shown = format!("{:?}", Ovh::new(settings(), Arc::new(|| 0)).unwrap());
        assert!(shown.contains("sms-ab12345-1"));
        for secret in ["7kbG7Bk7S9Nt7ZSV", "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF", "MtSwSrPp"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
