//! What is seen of each request: an id, a log line, a metric. Never a body, a query string or a name.

use std::time::{Duration, Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use permanence_domain::ids::uuid_at;
use permanence_queue::trace;
use tracing::{Instrument, Span, field::Empty};
use uuid::Uuid;

use crate::{
    error::{ApiError, code, with_request_id},
    state::App,
};

/// Names a request in logs, answers and the audit trail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(pub(crate) Uuid);

impl RequestId {
    /// The id that [`observe`] gave.
    pub(crate) fn of(parts: &Parts) -> Option<Uuid> {
        parts.extensions.get::<Self>().map(|id| id.0)
    }
}

/// A request that takes longer is given up, and its transaction with it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The same of one that brings a file, which may come over a slow line.
const PATIENCE_WITH_FILES: Duration = Duration::from_mins(5);
/// The routes that take a file.
const TAKE_FILES: [&str; 1] = ["/api/v1/inventory/imports"];

fn too_slow() -> ApiError {
    let detail =
        "the request took too long, and it is not known whether it was kept: repeat it with the same \
                  Idempotency-Key"
            .to_owned();
    ApiError::Http(StatusCode::GATEWAY_TIMEOUT, "timeout", detail)
}

/// The method as a metric's label: a caller may make up methods, and each label is kept for ever.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Gives the request its id, logs and counts its answer, and writes the body of errors.
pub(crate) async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let id: Uuid = given.unwrap_or_else(|| uuid_at(app.clock().now()));
    request.extensions_mut().insert(RequestId(id));
    // The route's pattern, so that neither logs nor metrics hold what stands in the path.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unknown".to_owned(), |path| path.as_str().to_owned());
    let method = label(request.method());
    let (trace, span) = spans(&request, id, method, &route);
    let started = Instant::now();
    let patience = if TAKE_FILES.contains(&route.as_str()) { PATIENCE_WITH_FILES } else { PATIENCE };
    let answered =
        tokio::time::timeout(patience, next.run(request).instrument(span.clone()).instrument(trace.clone()))
            .await;
    let response = answered.unwrap_or_else(|_| too_slow().into_response());
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| {
        tracing::info!(status, ms = elapsed.as_secs_f64() * 1_000.0, "answered");
        if status >= 500 {
            tracing::error!(target: trace::FAULTS, fault = "request", status, code = code(&response));
        }
    });
    trace.record("http.response.status_code", status);
    if status >= 500 {
        trace.record("otel.status_code", "ERROR");
    }
    let labels = [("method", method.to_owned()), ("route", route), ("status", status.to_string())];
    metrics::histogram!("permanence_http_request_seconds", &labels).record(elapsed.as_secs_f64());
    let mut response = with_request_id(response, id);
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert("x-request-id", value);
    }
    if let Some(value) = trace::of(&trace).and_then(|parent| HeaderValue::try_from(parent).ok()) {
        response.headers_mut().insert(trace::TRACEPARENT, value);
    }
    response
}

/// The request in its trace, which may have begun with the caller, and the request in the log.
fn spans(request: &Request, id: Uuid, method: &'static str, route: &str) -> (Span, Span) {
    let trace = tracing::info_span!(
        target: trace::SPANS,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        permanence.request_id = %id,
    );
    let given = request.headers().get(trace::TRACEPARENT).and_then(|value| value.to_str().ok());
    trace::follow(&trace, given);
    let span = tracing::info_span!("request", request_id = %id, method, route, trace_id = Empty);
    if let Some(id) = trace::id(&trace) {
        span.record("trace_id", id);
    }
    (trace, span)
}
