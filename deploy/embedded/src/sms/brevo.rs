//! Brevo's transactional interfaces for text messages and mail (api.brevo.com, version 3), as far as sending and
//! looking up go. It never takes a call without the account's key.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Desk, SmsFault};
use crate::outbox::{Mail, NewText, Provider, Text};

/// How long a key of a mail is remembered.
const REMEMBERED: TimeDelta = TimeDelta::minutes(30);
const TAG: &str = "X-Mailin-Tag";
const KEY: &str = "X-Idempotency-Key";

/// What the interface takes of a text message, as far as this platform sends it; another field is refused here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "fields that only need to be well formed")]
struct NewSms {
    sender: String,
    recipient: String,
    content: String,
    #[serde(rename = "type")]
    kind: Kind,
    tag: Option<String>,
    #[serde(default)]
    unicode_enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Transactional,
    Marketing,
}

/// What the interface takes of a mail, as far as this platform sends it; another field is refused here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewMail {
    sender: Person,
    to: Vec<Person>,
    reply_to: Option<Person>,
    subject: String,
    text_content: String,
    html_content: Option<String>,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Person {
    email: String,
    name: Option<String>,
}

impl Person {
    fn mailbox(self) -> Result<Mailbox, Refusal> {
        let address = self.email.parse().map_err(|_| Refusal::invalid("email is not valid"))?;
        Ok(Mailbox::new(self.name, address))
    }
}

/// Sends one text message.
pub(super) async fn send_text(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    check(&desk, &headers)?;
    let new: NewSms = serde_json::from_slice(&body).map_err(|error| Refusal::invalid(&error.to_string()))?;
    if new.content.is_empty() || new.sender.is_empty() {
        return Err(Refusal::invalid("content and sender are required"));
    }
    let fault = desk.faults.take(|_| true);
    if let Some(refused) = fault.and_then(refuse) {
        return Ok(refused);
    }
    let number = (7..=15).contains(&new.recipient.len()) && new.recipient.bytes().all(|b| b.is_ascii_digit());
    if fault == Some(SmsFault::InvalidNumber) || !number || new.recipient.starts_with('0') {
        return Err(Refusal::invalid("Invalid telephone number"));
    }
    let (to, sender) = (format!("+{}", new.recipient), new.sender);
    let text = NewText { provider: Provider::Brevo, to, sender, body: new.content, key: new.tag };
    let text = desk.outbox.keep_text(text).map_err(|error| kept_not(&error))?;
    desk.callbacks.brevo(|undelivered| {
        let status = if undelivered { "hard_bounce" } else { "delivered" };
        json!({ "id": 1, "to": new.recipient, "messageId": text.id, "msg_status": status, "type": "transactional",
            "ts_event": desk.outbox.now().timestamp() })
    });
    let answer = (StatusCode::CREATED, Json(json!({ "messageId": text.id }))).into_response();
    Ok(desk.end(fault, answer).await)
}

/// Sends one mail.
pub(super) async fn send_mail(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    check(&desk, &headers)?;
    let new: NewMail = serde_json::from_slice(&body).map_err(|error| Refusal::invalid(&error.to_string()))?;
    let fault = desk.faults.take(|_| true);
    if let Some(refused) = fault.and_then(refuse) {
        return Ok(refused);
    }
    if fault == Some(SmsFault::InvalidNumber) {
        return Err(Refusal::invalid("email is not valid in to"));
    }
    let key = new.headers.get("idempotencyKey").and_then(Value::as_str).map(str::to_owned);
    let oldest = desk.outbox.now() - REMEMBERED;
    if key.is_some()
        && desk.outbox.mails().iter().any(|mail| mail.received_at > oldest && mail.header(KEY) == key)
    {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "duplicate_parameter", "idempotencyKey was used"));
    }
    let (from, to, raw) = written(new, key)?;
    let recipient = to.first().cloned().unwrap_or_default();
    let mail = desk.outbox.keep_mail(from, to, raw).map_err(|error| kept_not(&error))?;
    desk.callbacks.brevo(|undelivered| {
        let event = if undelivered { "hard_bounce" } else { "delivered" };
        json!({ "event": event, "email": recipient, "id": 1, "message-id": message_id(&mail),
            "ts_event": desk.outbox.now().timestamp() })
    });
    let answer = (StatusCode::CREATED, Json(json!({ "messageId": message_id(&mail) }))).into_response();
    Ok(desk.end(fault, answer).await)
}

/// Writes a mail in the form of the wire: sender, recipients and bytes.
fn written(new: NewMail, key: Option<String>) -> Result<(String, Vec<String>, Vec<u8>), Refusal> {
    let header = |name: &str, value: String| {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| Refusal::invalid("headers"))?;
        Ok::<_, Refusal>(HeaderValue::new(name, value))
    };
    let from = new.sender.mailbox()?;
    let mut message = lettre::Message::builder().from(from.clone()).subject(new.subject);
    let mut recipients = Vec::new();
    for person in new.to {
        let to = person.mailbox()?;
        recipients.push(to.email.to_string());
        message = message.to(to);
    }
    if let Some(reply_to) = new.reply_to {
        message = message.reply_to(reply_to.mailbox()?);
    }
    for (name, value) in new.headers.iter().filter(|(name, _)| *name != "idempotencyKey") {
        message = message.raw_header(header(name, value.as_str().unwrap_or_default().to_owned())?);
    }
    for tag in new.tags {
        message = message.raw_header(header(TAG, tag)?);
    }
    if let Some(key) = key {
        message = message.raw_header(header(KEY, key)?);
    }
    let message = match new.html_content {
        Some(html) => message.multipart(MultiPart::alternative_plain_html(new.text_content, html)),
        None => message.singlepart(SinglePart::plain(new.text_content)),
    };
    let raw = message.map_err(|_| Refusal::invalid("to is required"))?.formatted();
    Ok((from.email.to_string(), recipients, raw))
}

/// The narrowing of a list of events, as far as this platform narrows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Narrowing {
    phone_number: Option<String>,
    email: Option<String>,
}

/// Lists what happened to text messages, newest first.
pub(super) async fn list_text_events(
    State(desk): State<Desk>,
    Query(wanted): Query<Narrowing>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    check(&desk, &headers)?;
    let matches = |text: &&Text| {
        let number = text.to.trim_start_matches('+');
        text.provider == Provider::Brevo
            && wanted.phone_number.as_deref().is_none_or(|wanted| wanted == number)
    };
    let texts = desk.outbox.texts();
    let events: Vec<Value> = texts
        .iter()
        .rev()
        .filter(matches)
        .flat_map(|text| {
            ["delivered", "sent"].map(|event| {
                json!({ "phoneNumber": text.to.trim_start_matches('+'), "date": text.received_at.to_rfc3339(),
                    "messageId": text.id.to_string(), "event": event, "tag": text.key })
            })
        })
        .collect();
    Ok(listed(&events))
}

/// Lists what happened to mails, newest first.
pub(super) async fn list_mail_events(
    State(desk): State<Desk>,
    Query(wanted): Query<Narrowing>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    check(&desk, &headers)?;
    let matches = |mail: &&Mail| {
        let asked = |wanted: &str| mail.to.iter().any(|to| to == wanted);
        mail.header(TAG).is_some() && wanted.email.as_deref().is_none_or(asked)
    };
    let mails = desk.outbox.mails();
    let events: Vec<Value> = mails
        .iter()
        .rev()
        .filter(matches)
        .flat_map(|mail| {
            ["delivered", "requests"].map(|event| {
                json!({ "email": mail.to.first(), "date": mail.received_at.to_rfc3339(), "subject": mail.subject(),
                    "messageId": message_id(mail), "event": event, "tag": mail.header(TAG), "from": mail.from })
            })
        })
        .collect();
    Ok(listed(&events))
}

/// An empty list is left out of the answer, as by the provider.
fn listed(events: &[Value]) -> Response {
    Json(if events.is_empty() { json!({}) } else { json!({ "events": events }) }).into_response()
}

fn message_id(mail: &Mail) -> String {
    format!("<202701040800.{}@smtp-relay.mailin.fr>", mail.id)
}

fn kept_not(error: &crate::Error) -> Refusal {
    tracing::error!(%error, "cannot keep a message");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal server error")
}

/// Answers in the place of a sending; `None` for the faults that are told otherwise.
fn refuse(fault: SmsFault) -> Option<Response> {
    let refusal = match fault {
        SmsFault::ServerError => {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal server error")
        }
        SmsFault::TooManyRequests { retry_after } => {
            let refusal =
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests");
            return Some(([(header::RETRY_AFTER, retry_after.to_string())], refusal).into_response());
        }
        SmsFault::BadRequest => Refusal::invalid("content is not valid"),
        SmsFault::Unauthorized => Refusal::unauthorized(),
        _ => return None,
    };
    Some(refusal.into_response())
}

fn check(desk: &Desk, headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get("api-key").and_then(|key| key.to_str().ok());
    if given == Some(&desk.credentials.brevo_api_key) { Ok(()) } else { Err(Refusal::unauthorized()) }
}

/// An error as the interface tells it.
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { status, code, message: message.to_owned() }
    }

    fn invalid(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", message)
    }

    fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Key not found")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "code": self.code, "message": self.message }))).into_response()
    }
}
