//! Whether an answer has changed since the caller last had it: a JSON answer to a GET has a weak `ETag`, a hash of its bytes, and
//! `If-None-Match` with it is answered by `304`. Nothing is kept here: the answer is made, and compared (docs/decisions/0046).
//!
//! Versioned resources keep the `ETag` that `If-Match` wants; what care wrote down gets none and is never kept by anybody.

use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::{MatchedPath, Request},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use permanence_domain::Error;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// Lists that hold nothing of a person: a browser may keep them, and asks each time whether they still hold.
const OF_NOBODY: [&str; 5] = [
    "/api/v1/inventory/items",
    "/api/v1/message-templates",
    "/api/v1/queues",
    "/api/v1/rooms",
    "/api/v1/services",
];

/// Routes that answer with what care wrote down, or with keys to it.
const CLINICAL: [&str; 6] = ["/records", "/files", "/images", "/retained", "/access-requests", "/auth/"];

/// Bytes of an answer's hash that its tag shows.
const SHOWN: usize = 16;

/// Gives an answer its tag, or leaves it out where the caller has it.
pub(crate) async fn conditional(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let Some(route) = route.filter(|route| request.method() == Method::GET && may_be_tagged(route)) else {
        return next.run(request).await;
    };
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::OK && OF_NOBODY.contains(&route.as_str()) {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if is_whole_json(&response) && !response.headers().contains_key(header::ETAG) {
        tag(response, known.as_ref()).await
    } else {
        response
    }
}

fn may_be_tagged(route: &str) -> bool {
    route.starts_with("/api/v1/") && !CLINICAL.iter().any(|part| route.contains(part))
}

fn is_whole_json(response: &Response) -> bool {
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    // What is streamed has no length, and may never end.
    response.status() == StatusCode::OK && json && response.body().size_hint().exact().is_some()
}

async fn tag(response: Response, known: Option<&HeaderValue>) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return ApiError::Domain(Error::internal("an answer could not be read")).into_response();
    };
    let hash = Sha256::digest(&bytes);
    let tag = format!("W/\"{}\"", hex::encode(hash.get(..SHOWN).unwrap_or_default()));
    let unchanged = known.and_then(|known| known.to_str().ok()).is_some_and(|known| names(known, &tag));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    if !unchanged {
        return Response::from_parts(parts, Body::from(bytes));
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}

/// Whether an `If-None-Match` names a tag; weakly, as RFC 9110, 13.1.2 has it.
fn names(known: &str, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.trim() == "*" || known.split(',').any(|known| plain(known) == plain(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_among_those_that_the_caller_has() {
        for known in ["W/\"ab\"", "\"ab\"", "\"cd\", W/\"ab\"", "*"] {
            assert!(names(known, "W/\"ab\""), "{known}");
        }
        for known in ["", "\"a\"", "ab", "W/\"abc\""] {
            assert!(!names(known, "W/\"ab\""), "{known}");
        }
    }

    #[test]
    fn what_care_wrote_down_has_no_tag() {
        for route in [
            "/api/v1/records/{id}",
            "/api/v1/patients/{id}/records",
            "/api/v1/files/{id}/content",
            "/metrics",
        ] {
            assert!(!may_be_tagged(route), "{route}");
        }
        assert!(may_be_tagged("/api/v1/patients"));
    }
}
