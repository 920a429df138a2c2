//! Answers that carry a version.

use axum::{Json, http::HeaderMap, http::HeaderValue, http::header};

/// A resource with its version as `ETag`, to be given back in `If-Match`.
pub(crate) type Versioned<T> = (HeaderMap, Json<T>);

/// Writes a version as `ETag`.
pub(crate) fn tag(headers: &mut HeaderMap, version: i32) {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(header::ETAG, tag);
    }
}

/// See [`Versioned`].
pub(crate) fn versioned<T>(version: i32, resource: T) -> Versioned<T> {
    let mut headers = HeaderMap::new();
    tag(&mut headers, version);
    (headers, Json(resource))
}
