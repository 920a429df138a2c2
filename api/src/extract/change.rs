//! PUT and PATCH: a change of what the caller has read, refused if it has changed since.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header},
};
use deserr::Deserr;
use permanence_domain::{Invalid, db::TenantTx, identity::Role};

use super::{Caller, Permission, input};
use crate::{
    error::{ApiError, Result},
    state::App,
};

/// A checked change, and the transaction it is made in.
#[derive(Debug)]
pub(crate) struct Change<P, T> {
    pub(crate) tx: TenantTx,
    pub(crate) body: T,
    pub(crate) role: Role,
    /// The version that the caller read.
    pub(crate) version: i32,
    scope: PhantomData<P>,
}

impl<P: Permission, T: Deserr<Invalid> + Send> FromRequest<App> for Change<P, T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let version = version(&parts.headers)?;
        let bytes = input::json_bytes(Request::from_parts(parts, body)).await?;
        let body = input::parse(&bytes)?;
        let (tx, role) = caller.open(app, P::SCOPE).await?;
        Ok(Self { tx, body, role, version, scope: PhantomData })
    }
}

/// The version in `If-Match`, as the `ETag` gave it.
fn version(headers: &HeaderMap) -> Result<i32> {
    let value = headers.get(header::IF_MATCH).ok_or_else(|| {
        let detail =
            "an If-Match header with the version that was read is expected, such as \"3\"".to_owned();
        ApiError::Http(StatusCode::PRECONDITION_REQUIRED, "if_match_missing", detail)
    })?;
    value
        .to_str()
        .ok()
        .and_then(|text| text.trim().trim_start_matches("W/").trim_matches('"').parse().ok())
        .ok_or_else(|| {
            let detail = "If-Match must hold one version, such as \"3\"".to_owned();
            ApiError::Http(StatusCode::BAD_REQUEST, "malformed_if_match", detail)
        })
}
