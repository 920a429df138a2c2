//! The one map from domain errors to problem+json (RFC 9457). The cause of an internal error is logged here, once, and
//! never returned.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use permanence_domain::{Error, Problem, idempotency::StoredAnswer};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

/// What a handler gives instead of its answer.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The domain refused.
    Domain(Error),
    /// HTTP itself was not used right: status, code and what is expected.
    Http(StatusCode, &'static str, String),
    /// The request was answered before: the same answer again.
    Replay(StoredAnswer),
}

pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self::Domain(error.into())
    }
}

/// An error, as RFC 9457 has it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProblemBody {
    /// `urn:permanence:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:permanence:problem:slot_taken")]
    kind: String,
    /// The status in words.
    #[schema(example = "Conflict")]
    title: &'static str,
    /// HTTP status.
    #[schema(example = 409)]
    status: u16,
    /// Stable code to branch on (docs/API.md lists them).
    #[schema(example = "slot_taken")]
    code: &'static str,
    /// What happened, for a person.
    #[schema(example = "the practitioner has another appointment at this time")]
    detail: String,
    /// Every field that breaks a rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Problem>,
    /// Names the request in the logs.
    request_id: Option<Uuid>,
    /// Seconds after which it may be tried again.
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// The errors that any route may answer with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the OpenAPI document only")]
pub(crate) enum CommonErrors {
    /// The request is not well formed.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(ProblemBody),
    /// No valid access token.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// The role lacks the scope.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// There is no such resource in the caller's tenant.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The request clashes with the present state.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
    /// Fields break rules, or the idempotency key belongs to another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// A defect on our side.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
    /// Something that the platform needs is away; try again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
    /// It took too long, and it is not known whether it was kept.
    #[response(status = 504, content_type = "application/problem+json")]
    Timeout(ProblemBody),
}

fn problem(status: StatusCode, code: &'static str, detail: impl Into<String>) -> ProblemBody {
    ProblemBody {
        kind: format!("urn:permanence:problem:{code}"),
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        code,
        detail: detail.into(),
        errors: Vec::new(),
        request_id: None,
        retry_after: None,
    }
}

fn of_domain(error: Error) -> ProblemBody {
    match error {
        Error::NotFound(what) => {
            problem(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
        }
        Error::Forbidden(scope) => {
            problem(StatusCode::FORBIDDEN, "forbidden", format!("the role lacks the scope {scope}"))
        }
        Error::Unauthenticated(code) => problem(StatusCode::UNAUTHORIZED, code, unauthenticated(code)),
        Error::TooMany { retry_after } => {
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            let detail = format!("it was tried too often: try again in {seconds} second(s)");
            let mut body = problem(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail);
            body.retry_after = Some(seconds);
            body
        }
        Error::Conflict { code, detail } => problem(StatusCode::CONFLICT, code, detail),
        Error::Changed(what) => problem(
            StatusCode::CONFLICT,
            "version_conflict",
            format!("the {what} has changed since it was read: read it again"),
        ),
        Error::KeyReused => problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request: use a new one",
        ),
        Error::Invalid(invalid) => {
            let count = invalid.0.len();
            let detail = format!("{count} field(s) break a rule: see errors");
            let mut body = problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", detail);
            body.errors = invalid.0;
            body
        }
        Error::Unavailable { what, source } => {
            tracing::warn!(what, error = %chain(&*source), "unavailable");
            let detail = format!("the {what} is away: try again shortly");
            let mut body = problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
            body.retry_after = Some(2);
            body
        }
        Error::Internal(source) => {
            tracing::error!(error = %chain(&*source), "internal error");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side")
        }
    }
}

fn unauthenticated(code: &str) -> &'static str {
    match code {
        "missing_token" => "an Authorization: Bearer header is expected",
        "token_expired" => "the access token has expired: refresh it",
        "wrong_credentials" => "the email or the password is wrong",
        "no_membership" => "the user does not belong to this tenant",
        "session_over" => "the session is over: sign in again",
        "token_reuse" => "this refresh token was used before: the session is closed, sign in again",
        _ => "the token is not valid",
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Domain(error) => of_domain(error).into_response(),
            Self::Http(status, code, detail) => problem(status, code, detail).into_response(),
            Self::Replay(answer) => {
                let mut response = crate::extract::render(&answer);
                response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
                response
            }
        }
    }
}

impl IntoResponse for ProblemBody {
    /// The body is written by [`with_request_id`], which knows the request.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The code of the problem that a response carries.
pub(crate) fn code(response: &Response) -> Option<&'static str> {
    response.extensions().get::<ProblemBody>().map(|problem| problem.code)
}

/// Writes the problem that a response carries, with the id of its request.
pub(crate) fn with_request_id(mut response: Response, request: Uuid) -> Response {
    let Some(mut body) = response.extensions_mut().remove::<ProblemBody>() else {
        return response;
    };
    body.request_id = Some(request);
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    *response.body_mut() = bytes.into();
    response
}

/// For routes that do not exist.
pub(crate) async fn unknown_route() -> ApiError {
    ApiError::Http(StatusCode::NOT_FOUND, "unknown_route", "there is no such route: see /docs".to_owned())
}

/// For methods that a route does not have.
pub(crate) async fn unknown_method() -> ApiError {
    ApiError::Http(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "the route exists and does not take this method: see /docs".to_owned(),
    )
}
