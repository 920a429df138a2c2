//! POST of a small CSV file by a signed-in caller: read whole like a JSON body, done once for each `Idempotency-Key`.

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header},
};
use permanence_domain::idempotency::{self, Principal};

use super::{
    Caller, Create, MAX_BODY, Permission,
    create::{insist_on_key, keyed},
};
use crate::{
    error::{ApiError, Result},
    state::App,
};

/// A keyed request with the bytes of a CSV file.
#[derive(Debug)]
pub(crate) struct Sheet<P> {
    pub(crate) create: Create<P, Bytes>,
}

impl<P: Permission> FromRequest<App> for Sheet<P> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let key = insist_on_key(&parts.headers)?;
        let given = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("text/csv") {
            let detail = "Content-Type: text/csv is expected".to_owned();
            return Err(ApiError::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_csv", detail));
        }
        let bytes = to_bytes(body, MAX_BODY).await.map_err(|_| {
            let detail = format!("a file of at most {MAX_BODY} bytes is expected");
            ApiError::Http(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
        })?;
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let fingerprint = idempotency::fingerprint(&app.fingerprint_key, method, path, &bytes)?;
        let principal = Principal { tenant: caller.claims.tenant.0, user: caller.claims.sub.0 };
        let create = Create::begin(app, &caller, keyed(principal, key, fingerprint), bytes).await?;
        Ok(Self { create })
    }
}
