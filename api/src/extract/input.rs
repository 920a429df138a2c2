//! Bodies, query strings and path segments: read whole, every problem told at once.

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Path as AxumPath, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use deserr::Deserr;
use permanence_domain::{
    Error, Invalid, Problem, billing::InvoiceTemplateKey, figures::View,
    notifications::templates::TemplateKey,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{MAX_BODY, create::key};
use crate::{
    error::{ApiError, Result},
    state::App,
};

/// A checked query string.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: Deserr<Invalid>> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(parts.uri.query().unwrap_or_default())
            .map_err(|error| bad_request("malformed_query", error.to_string()))?;
        let mut fields = Map::new();
        for (name, value) in pairs {
            if fields.insert(name.clone(), Value::String(value)).is_some() {
                return Err(Error::invalid(&name, "repeated", "the parameter once").into());
            }
        }
        deserr::deserialize::<T, _, Invalid>(Value::Object(fields)).map(Self).map_err(ApiError::from)
    }
}

/// What stands in the path, or why there can be nothing at it.
async fn segments<T: DeserializeOwned + Send>(
    parts: &mut Parts,
    app: &App,
    refused: impl FnOnce() -> Error + Send,
) -> Result<T> {
    match AxumPath::<T>::from_request_parts(parts, app).await {
        Ok(AxumPath(read)) => Ok(read),
        Err(_) => Err(refused().into()),
    }
}

/// An identifier in the path.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        segments(parts, app, || Error::invalid("id", "not_a_uuid", "a UUID in the path")).await.map(Self)
    }
}

/// A job's number in the path.
#[derive(Debug)]
pub(crate) struct JobNumber(pub(crate) i64);

impl FromRequestParts<App> for JobNumber {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        segments(parts, app, || Error::invalid("id", "not_a_number", "a job's number in the path"))
            .await
            .map(Self)
    }
}

/// A queue's name in the path.
#[derive(Debug)]
pub(crate) struct QueueName(pub(crate) String);

impl FromRequestParts<App> for QueueName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        segments(parts, app, || Error::NotFound("queue")).await.map(Self)
    }
}

/// A view's name in the path.
#[derive(Debug)]
pub(crate) struct ViewName(pub(crate) View);

impl FromRequestParts<App> for ViewName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        segments(parts, app, || Error::NotFound("view")).await.map(Self)
    }
}

/// Purpose, way and language in the path.
#[derive(Debug)]
pub(crate) struct TemplatePath(pub(crate) TemplateKey);

impl FromRequestParts<App> for TemplatePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        segments(parts, app, || Error::NotFound("message template")).await.map(Self)
    }
}

/// The kind of paper in the path.
#[derive(Debug)]
pub(crate) struct InvoiceTemplatePath(pub(crate) InvoiceTemplateKey);

impl FromRequestParts<App> for InvoiceTemplatePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        segments(parts, app, || Error::NotFound("invoice template")).await.map(Self)
    }
}

fn bad_request(code: &'static str, detail: String) -> ApiError {
    ApiError::Http(StatusCode::BAD_REQUEST, code, detail)
}

/// The body's bytes, of a JSON request.
pub(super) async fn json_bytes(request: Request) -> Result<Bytes> {
    let is_json = |headers: &HeaderMap| {
        headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
    };
    let headers = request.headers().clone();
    let bytes = to_bytes(request.into_body(), MAX_BODY).await.map_err(|_| {
        let detail = format!("a body of at most {MAX_BODY} bytes is expected");
        ApiError::Http(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    })?;
    if bytes.is_empty() || is_json(&headers) {
        return Ok(bytes);
    }
    let detail = "Content-Type: application/json is expected".to_owned();
    Err(ApiError::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail))
}

/// The checked body.
pub(super) fn parse<T: Deserr<Invalid>>(bytes: &[u8]) -> Result<T> {
    let whole = if bytes.is_empty() { b"{}" } else { bytes };
    let value: Value = serde_json::from_slice(whole).map_err(|error| {
        // The place, not the text around it: bodies hold personal data.
        bad_request(
            "malformed_json",
            format!("the body is not JSON: line {}, column {}", error.line(), error.column()),
        )
    })?;
    if !value.is_object() {
        let problem = Problem::new("body", "wrong_type", "an object");
        return Err(Invalid(vec![problem]).into());
    }
    deserr::deserialize::<T, _, Invalid>(value).map_err(ApiError::from)
}

/// A body without fields; it may be left out.
#[derive(Debug, Deserr)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub(crate) struct Empty {}

/// A checked body of a request that is the same twice as once: its `Idempotency-Key` must be well formed and has
/// nothing to do.
#[derive(Debug)]
pub(crate) struct Idempotent<T>(pub(crate) T);

impl<T: Deserr<Invalid>> FromRequest<App> for Idempotent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &App) -> Result<Self> {
        key(request.headers())?;
        parse(&json_bytes(request).await?).map(Self)
    }
}
