//! The SMS interface of `OVHcloud` (api.ovh.com, section /sms), as far as sending and looking up go.
//! It never takes a call whose signature is not that of the secret.

use axum::Json;
use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::{Desk, ReportFault, SmsFault, idempotency_key, is_number};
use crate::outbox::{NewText, Provider, Text};

/// The sender of texts that can be answered.
const SHORT_NUMBER: &str = "38069";
/// Far above any list of receivers that this platform sends.
const MAX_BODY: usize = 1 << 20;

/// Tells the server's time, which a caller signs with.
pub(super) async fn time(State(desk): State<Desk>) -> Json<i64> {
    Json(desk.outbox.now().timestamp())
}

/// Lists the SMS accounts.
pub(super) async fn list_services(State(desk): State<Desk>, call: Call) -> Result<Response, Refusal> {
    call.check(&desk, None)?;
    Ok(Json([&desk.credentials.ovh_service]).into_response())
}

/// Lists the texts that wait to be sent: none, since they leave at once.
pub(super) async fn list_jobs(
    State(desk): State<Desk>,
    Path(service): Path<String>,
    call: Call,
) -> Result<Response, Refusal> {
    call.check(&desk, Some(&service))?;
    Ok(Json(json!([])).into_response())
}

/// The narrowing of a list of sent texts.
#[derive(Deserialize)]
pub(super) struct Narrowing {
    tag: Option<String>,
    receiver: Option<String>,
    sender: Option<String>,
}

/// Lists the numbers of the sent texts.
pub(super) async fn list_outgoing(
    State(desk): State<Desk>,
    Path(service): Path<String>,
    Query(wanted): Query<Narrowing>,
    call: Call,
) -> Result<Response, Refusal> {
    call.check(&desk, Some(&service))?;
    let matches = |wanted: &Option<String>, found: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
    };
    let ids: Vec<u64> = sent(&desk)
        .into_iter()
        .filter(|text| {
            matches(&wanted.tag, text.key.as_deref())
                && matches(&wanted.receiver, Some(&text.to))
                && matches(&wanted.sender, Some(&text.sender))
        })
        .map(|text| text.id)
        .collect();
    Ok(Json(ids).into_response())
}

/// Reads one sent text.
pub(super) async fn read_outgoing(
    State(desk): State<Desk>,
    Path((service, id)): Path<(String, u64)>,
    call: Call,
) -> Result<Response, Refusal> {
    call.check(&desk, Some(&service))?;
    let text = sent(&desk).into_iter().find(|text| text.id == id).ok_or(Refusal::NOT_FOUND)?;
    let receipt = match desk.callbacks.faults.take(|_| true) {
        Some(ReportFault::Undelivered) => 2,
        Some(ReportFault::Never) => 0,
        // Delivered to the handset.
        _ => 1,
    };
    Ok(Json(json!({
        "id": text.id,
        "creationDatetime": text.received_at.to_rfc3339(),
        "receiver": text.to,
        "sender": text.sender,
        "message": text.body,
        "messageLength": text.body.chars().count(),
        "tag": text.key.unwrap_or_default(),
        "numberOfSms": 1,
        "credits": 1,
        "deliveryReceipt": receipt,
        "ptt": if receipt == 2 { 1003 } else { 0 },
        "differedDelivery": 0,
        "tariffCode": "",
    }))
    .into_response())
}

fn sent(desk: &Desk) -> Vec<Text> {
    let mut texts = desk.outbox.texts();
    texts.retain(|text| text.provider == Provider::Ovh);
    texts
}

/// What the interface takes; another field is an error there too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "fields that only need to be well formed")]
struct NewJob {
    message: String,
    #[serde(default)]
    receivers: Vec<String>,
    sender: Option<String>,
    #[serde(default)]
    sender_for_response: bool,
    no_stop_clause: Option<bool>,
    priority: Option<Priority>,
    charset: Option<Charset>,
    class: Option<Class>,
    coding: Option<Coding>,
    differed_period: Option<u32>,
    validity_period: Option<u32>,
    tag: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Priority {
    High,
    Medium,
    Low,
    VeryLow,
}

#[derive(Deserialize)]
enum Charset {
    #[serde(rename = "UTF-8")]
    Utf8,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Class {
    Flash,
    PhoneDisplay,
    Sim,
    Toolkit,
}

#[derive(Deserialize)]
enum Coding {
    #[serde(rename = "7bit")]
    SevenBit,
    #[serde(rename = "8bit")]
    EightBit,
}

/// Sends one text to several receivers and tells those that are no numbers.
pub(super) async fn create_job(
    State(desk): State<Desk>,
    Path(service): Path<String>,
    call: Call,
) -> Result<Response, Refusal> {
    call.check(&desk, Some(&service))?;
    let job: NewJob =
        serde_json::from_slice(&call.body).map_err(|error| Refusal::invalid(&error.to_string()))?;
    if job.message.is_empty() || job.receivers.is_empty() {
        return Err(Refusal::invalid("[message] and [receivers] are required"));
    }
    if job.sender.is_none() && !job.sender_for_response {
        return Err(Refusal::invalid("[sender] is required without [senderForResponse]"));
    }
    let fault = desk.faults.take(|_| true);
    if let Some(refused) = fault.and_then(refuse) {
        return Ok(refused);
    }
    let (valid, invalid): (Vec<_>, Vec<_>) =
        job.receivers.iter().partition(|to| fault != Some(SmsFault::InvalidNumber) && is_number(to));
    let key = idempotency_key(&call.headers).or_else(|| job.tag.clone());
    let mut ids = Vec::new();
    for to in &valid {
        let text = NewText {
            provider: Provider::Ovh,
            to: (*to).clone(),
            sender: job.sender.clone().unwrap_or_else(|| SHORT_NUMBER.to_owned()),
            body: job.message.clone(),
            key: key.clone(),
        };
        let kept = desk.outbox.keep_text(text).map_err(|error| {
            tracing::error!(%error, "cannot keep a text");
            Refusal::INTERNAL
        })?;
        ids.push(kept.id);
    }
    let report = json!({
        "ids": ids,
        "validReceivers": valid,
        "invalidReceivers": invalid,
        "totalCreditsRemoved": valid.len(),
    });
    Ok(desk.end(fault, Json(report).into_response()).await)
}

/// Answers in the place of a sending; `None` for the faults that come after it.
fn refuse(fault: SmsFault) -> Option<Response> {
    let refusal = match fault {
        SmsFault::ServerError => Refusal::INTERNAL,
        SmsFault::TooManyRequests { retry_after } => {
            let headers = [(header::RETRY_AFTER, retry_after.to_string())];
            return Some((headers, Refusal::TOO_MANY).into_response());
        }
        SmsFault::BadRequest => Refusal::invalid("[message] is not acceptable"),
        SmsFault::Unauthorized => Refusal::NOT_LOGGED_IN,
        _ => return None,
    };
    Some(refusal.into_response())
}

/// A request with all that its signature covers.
pub(super) struct Call {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let url = format!("http://{host}{}", parts.uri.path_and_query().map_or("/", |path| path.as_str()));
        let body = to_bytes(body, MAX_BODY).await.map_err(|error| Refusal::invalid(&error.to_string()))?;
        Ok(Self { method: parts.method, url, headers: parts.headers, body })
    }
}

impl Call {
    /// Checks who calls: key, consumer, signature and, where one is named, the account.
    ///
    /// The real service also refuses a time that is more than some minutes off; here the clocks may be simulated.
    fn check(&self, desk: &Desk, service: Option<&str>) -> Result<(), Refusal> {
        let known = &desk.credentials;
        let read = |name: &'static str| self.headers.get(HeaderName::from_static(name))?.to_str().ok();
        let time = read("x-ovh-timestamp").filter(|time| time.parse::<i64>().is_ok());
        if read("x-ovh-application") != Some(&known.ovh_application_key) {
            return Err(Refusal::INVALID_KEY);
        }
        if read("x-ovh-consumer") != Some(&known.ovh_consumer_key) {
            return Err(Refusal::INVALID_CREDENTIAL);
        }
        let signature = sign(known, &self.method, &self.url, &self.body, time.unwrap_or_default());
        if time.is_none() || read("x-ovh-signature") != Some(&signature) {
            return Err(Refusal::INVALID_SIGNATURE);
        }
        if service.is_some_and(|service| service != known.ovh_service) {
            return Err(Refusal::NOT_FOUND);
        }
        Ok(())
    }
}

/// Signs as the interface asks: `$1$` and the SHA-1 of secret, consumer, method, URL, body and time joined by `+`.
fn sign(known: &super::SmsCredentials, method: &Method, url: &str, body: &[u8], time: &str) -> String {
    let mut hash = Sha1::new();
    for part in [&known.ovh_application_secret, &known.ovh_consumer_key, method.as_str(), url] {
        hash.update(part.as_bytes());
        hash.update(b"+");
    }
    hash.update(body);
    hash.update(b"+");
    hash.update(time.as_bytes());
    format!("$1${}", hex::encode(hash.finalize()))
}

/// An error as the interface tells it.
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: std::borrow::Cow<'static, str>,
}

impl Refusal {
    const INVALID_KEY: Self =
        Self::new(StatusCode::FORBIDDEN, "INVALID_KEY", "This application key is invalid");
    const INVALID_CREDENTIAL: Self =
        Self::new(StatusCode::FORBIDDEN, "INVALID_CREDENTIAL", "This credential is not valid");
    const INVALID_SIGNATURE: Self =
        Self::new(StatusCode::BAD_REQUEST, "INVALID_SIGNATURE", "Invalid signature");
    const NOT_LOGGED_IN: Self = Self::new(StatusCode::UNAUTHORIZED, "NOT_CREDENTIAL", "You must login first");
    const NOT_FOUND: Self =
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested object does not exist");
    const TOO_MANY: Self = Self::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", "Too many requests");
    const INTERNAL: Self =
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "Internal server error");

    const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message: std::borrow::Cow::Borrowed(message) }
    }

    fn invalid(message: &str) -> Self {
        Self {
            message: message.to_owned().into(),
            ..Self::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "")
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body: Value =
            json!({ "errorCode": self.code, "httpCode": self.status.to_string(), "message": self.message });
        (self.status, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::SmsCredentials;

    /// The keys and the value are those of the example in `OVHcloud`'s guide to its interface.
    #[test]
    fn a_signature_covers_secret_consumer_method_url_body_and_time() {
        let known = SmsCredentials {
            ovh_application_secret: "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF".into(),
            ovh_consumer_key: "MtSwSrPpNjqfVSmJhLbPyr2i45lSwPU1".into(),
            ..SmsCredentials::default()
        };
        let url = "https://eu.api.ovh.com/1.0/domains/";
        assert_eq!(
            sign(&known, &Method::GET, url, b"", "1366560945"),
            "$1$d3705e8afb27a0d2970a322b96550abfc67bb798"
        );
    }
}
