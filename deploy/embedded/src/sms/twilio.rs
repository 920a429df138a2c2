//! The Messages resource of Twilio (api.twilio.com, version 2010-04-01), as far as sending and looking up go.
//! It never takes a call without the account's token.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::{Desk, SmsFault, idempotency_key, is_number};
use crate::outbox::{NewText, Provider, Text};

/// The longest body, as Twilio counts it.
const MAX_BODY: usize = 1600;

/// What the resource takes, as far as this platform sends it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewMessage {
    to: Option<String>,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    body: Option<String>,
    status_callback: Option<String>,
}

/// The narrowing of a list of messages.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Narrowing {
    to: Option<String>,
    from: Option<String>,
}

/// Sends one text.
pub(super) async fn create_message(
    State(desk): State<Desk>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    check(&desk, &account, &headers)?;
    let new: NewMessage = serde_urlencoded::from_bytes(&body)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, 20001, &error.to_string()))?;
    let to = new
        .to
        .filter(|to| !to.is_empty())
        .ok_or_else(|| Refusal::bad(21604, "A 'To' phone number is required."))?;
    let sender = new
        .messaging_service_sid
        .or(new.from)
        .ok_or_else(|| Refusal::bad(21603, "A 'From' phone number is required."))?;
    let words = new
        .body
        .filter(|body| !body.is_empty())
        .ok_or_else(|| Refusal::bad(21602, "Message body is required."))?;
    if words.chars().count() > MAX_BODY {
        return Err(Refusal::bad(21617, "The concatenated message body exceeds the 1600 character limit."));
    }
    let fault = desk.faults.take(|_| true);
    if let Some(refused) = fault.and_then(refuse) {
        return Ok(refused);
    }
    if fault == Some(SmsFault::InvalidNumber) || !is_number(&to) {
        return Err(Refusal::bad(21211, &format!("The 'To' number {to} is not a valid phone number.")));
    }
    let key = idempotency_key(&headers);
    let new_callback = new.status_callback;
    let new = NewText { provider: Provider::Twilio, to, sender, body: words, key };
    let text = desk.outbox.keep_text(new).map_err(|error| {
        tracing::error!(%error, "cannot keep a text");
        Refusal::internal()
    })?;
    if let Some(url) = new_callback {
        desk.callbacks.twilio(&desk.credentials.twilio_auth_token, &url, &sid(&text), &text.to);
    }
    let created = (StatusCode::CREATED, Json(resource(&account, &text, "queued"))).into_response();
    Ok(desk.end(fault, created).await)
}

/// Lists the sent texts, newest first, as Twilio does.
pub(super) async fn list_messages(
    State(desk): State<Desk>,
    Path(account): Path<String>,
    Query(wanted): Query<Narrowing>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    check(&desk, &account, &headers)?;
    let matches =
        |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let messages: Vec<Value> = sent(&desk)
        .iter()
        .rev()
        .filter(|text| matches(&wanted.to, &text.to) && matches(&wanted.from, &text.sender))
        .map(|text| resource(&account, text, "delivered"))
        .collect();
    Ok(Json(json!({ "messages": messages, "page": 0, "page_size": 50, "next_page_uri": null }))
        .into_response())
}

/// Reads one sent text by its `<sid>.json`.
pub(super) async fn read_message(
    State(desk): State<Desk>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    check(&desk, &account, &headers)?;
    let wanted = file.strip_suffix(".json").unwrap_or(&file);
    let texts = sent(&desk);
    let text = texts.iter().find(|text| sid(text) == wanted);
    let text = text
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, 20404, "The requested resource was not found"))?;
    Ok(Json(resource(&account, text, "delivered")).into_response())
}

fn sent(desk: &Desk) -> Vec<Text> {
    let mut texts = desk.outbox.texts();
    texts.retain(|text| text.provider == Provider::Twilio);
    texts
}

/// Names a message: two letters and 32 hexadecimal digits, other ones for every message.
fn sid(text: &Text) -> String {
    let digest = Sha1::digest(format!("{}/{}", text.id, text.to));
    format!("SM{}", hex::encode(&digest[..16]))
}

fn resource(account: &str, text: &Text, status: &str) -> Value {
    let sid = sid(text);
    let time = text.received_at.to_rfc2822();
    let service = text.sender.starts_with("MG").then_some(&text.sender);
    json!({
        "sid": sid,
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": text.body,
        "date_created": time,
        "date_updated": time,
        "date_sent": null,
        "direction": "outbound-api",
        "error_code": null,
        "error_message": null,
        "from": if service.is_none() { Some(&text.sender) } else { None },
        "messaging_service_sid": service,
        "num_media": "0",
        "num_segments": "1",
        "price": null,
        "price_unit": "USD",
        "status": status,
        "subresource_uris": { "media": format!("/2010-04-01/Accounts/{account}/Messages/{sid}/Media.json") },
        "to": text.to,
        "uri": format!("/2010-04-01/Accounts/{account}/Messages/{sid}.json"),
    })
}

/// Answers in the place of a sending; `None` for the faults that are told otherwise.
fn refuse(fault: SmsFault) -> Option<Response> {
    let refusal = match fault {
        SmsFault::ServerError => Refusal::internal(),
        SmsFault::TooManyRequests { retry_after } => {
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, 20429, "Too Many Requests");
            return Some(([(header::RETRY_AFTER, retry_after.to_string())], refusal).into_response());
        }
        SmsFault::BadRequest => Refusal::bad(20001, "Invalid parameter"),
        SmsFault::Unauthorized => Refusal::unauthorized(),
        _ => return None,
    };
    Some(refusal.into_response())
}

fn check(desk: &Desk, account: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let known = &desk.credentials;
    let wanted = STANDARD.encode(format!("{}:{}", known.twilio_account_sid, known.twilio_auth_token));
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|value| value.strip_prefix("Basic ")) == Some(&wanted)
        && account == known.twilio_account_sid
    {
        Ok(())
    } else {
        Err(Refusal::unauthorized())
    }
}

/// An error as the resource tells it.
pub(super) struct Refusal {
    status: StatusCode,
    code: u32,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: u32, message: &str) -> Self {
        Self { status, code, message: message.to_owned() }
    }

    fn bad(code: u32, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 20003, "Authenticate")
    }

    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 20500, "Internal Server Error")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status.as_u16(),
        });
        (self.status, Json(body)).into_response()
    }
}
