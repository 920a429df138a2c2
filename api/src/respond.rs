//! Answers that carry a version.

use axum::{Json, http::HeaderMap, http::HeaderValue, http::header};

/// A resource with its version as `ETag`, to be given back in `If-Match`.
pub(crate) type Versioned<T> = (HeaderMap, Json<T>);

/// See [`Versioned`].
pub(crate) fn versioned<T>(version: i32, resource: T) -> Versioned<T> {
    let mut headers = HeaderMap::new();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(header::ETAG, tag);
    }
    (headers, Json(resource))
}
