//! POST by a signed-in caller: done once for each `Idempotency-Key`, however often it is sent.

use std::marker::PhantomData;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use permanence_domain::{
    Invalid,
    db::{SystemTx, TenantTx},
    idempotency::{self, Keyed, Principal, StoredAnswer},
    identity::Role,
    operations::JobsTx,
};
use serde::{Deserialize, Serialize};

use super::{Caller, Permission, input};
use crate::{
    error::{ApiError, Result},
    respond,
    state::App,
};

/// A checked, keyed request, and the transaction in which it is done and answered.
#[derive(Debug)]
pub(crate) struct Create<P, T> {
    pub(crate) tx: TenantTx,
    pub(crate) body: T,
    pub(crate) role: Role,
    answering: Answering,
    scope: PhantomData<P>,
}

/// The answer that is owed for a claimed key: stored in the transaction that does the work.
#[derive(Debug)]
pub(crate) struct Answering {
    app: App,
    keyed: Keyed,
}

/// The request's `Idempotency-Key`, if it has one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().ok().map(str::trim).filter(|key| (1..=255).contains(&key.len()));
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        let detail = "the Idempotency-Key must have 1 to 255 visible ASCII characters".to_owned();
        ApiError::Http(StatusCode::BAD_REQUEST, "malformed_idempotency_key", detail)
    })
}

/// The key of a request that must have one.
pub(super) fn insist_on_key(headers: &HeaderMap) -> Result<String> {
    key(headers)?.ok_or_else(|| {
        let detail =
            "an Idempotency-Key header is expected, such as a new UUID for each new action".to_owned();
        ApiError::Http(StatusCode::BAD_REQUEST, "idempotency_key_missing", detail)
    })
}

/// A keyed request whose answer is kept for a day.
pub(super) fn keyed(principal: Principal, key: String, fingerprint: Vec<u8>) -> Keyed {
    Keyed { principal, key, fingerprint, kept_for: idempotency::KEPT_FOR }
}

impl<P: Permission, T: Deserr<Invalid> + Send> FromRequest<App> for Create<P, T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let key = insist_on_key(&parts.headers)?;
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        // The body is read before a connection is taken: a slow client holds up nobody.
        let bytes = input::json_bytes(Request::from_parts(parts, body)).await?;
        let body = input::parse(&bytes)?;
        let fingerprint = idempotency::fingerprint(&app.fingerprint_key, method.as_str(), &path, &bytes)?;
        let principal = Principal { tenant: caller.claims.tenant.0, user: caller.claims.sub.0 };
        Self::begin(app, &caller, keyed(principal, key, fingerprint), body).await
    }
}

impl<P: Permission, T> Create<P, T> {
    /// Opens the transaction and claims the key; a request that was answered before ends here.
    pub(super) async fn begin(app: &App, caller: &Caller, keyed: Keyed, body: T) -> Result<Self> {
        let (mut tx, role) = caller.open(app, P::SCOPE).await?;
        let now = tx.now();
        if let Some(answer) = idempotency::claim(tx.conn(), now, &app.sealer, &keyed).await? {
            return Err(ApiError::Replay(answer));
        }
        Ok(Self { tx, body, role, answering: Answering { app: app.clone(), keyed }, scope: PhantomData })
    }
}

impl<P, T> Create<P, T> {
    /// Keeps what was made and answers `201` with its address.
    pub(crate) async fn created(self, location: String, body: &impl Serialize) -> Result<Response> {
        let body = serde_json::to_vec(body).map_err(permanence_domain::Error::internal)?;
        self.finish(StoredAnswer { status: StatusCode::CREATED.as_u16(), location: Some(location), body })
            .await
    }

    /// Keeps what was asked for and answers `202` with the address at which it is told how it goes.
    pub(crate) async fn accepted(self, location: String, body: &impl Serialize) -> Result<Response> {
        let body = serde_json::to_vec(body).map_err(permanence_domain::Error::internal)?;
        self.finish(StoredAnswer { status: StatusCode::ACCEPTED.as_u16(), location: Some(location), body })
            .await
    }

    /// Keeps what was done and answers `200`.
    pub(crate) async fn ok(self, body: &impl Serialize) -> Result<Response> {
        let body = serde_json::to_vec(body).map_err(permanence_domain::Error::internal)?;
        self.finish(StoredAnswer { status: StatusCode::OK.as_u16(), location: None, body }).await
    }

    /// Keeps what was done and answers `204`.
    pub(crate) async fn done(self) -> Result<Response> {
        let answer =
            StoredAnswer { status: StatusCode::NO_CONTENT.as_u16(), location: None, body: Vec::new() };
        self.finish(answer).await
    }

    /// Goes on with the jobs that the caller's role reaches.
    pub(crate) async fn for_jobs(self) -> Result<(JobsTx, T, Answering)> {
        Ok((JobsTx::of(self.tx, self.role).await?, self.body, self.answering))
    }

    /// Goes on across tenants: for scopes that only the platform's roles have.
    pub(crate) async fn for_platform(self) -> Result<(SystemTx, T, Answering)> {
        Ok((self.tx.widen().await?, self.body, self.answering))
    }

    /// Parts with the transaction, for a call that gives another back; [`Answering`] ends it.
    pub(crate) fn parts(self) -> (TenantTx, T, Answering) {
        (self.tx, self.body, self.answering)
    }

    async fn finish(self, answer: StoredAnswer) -> Result<Response> {
        self.answering.finish(JobsTx::Own(self.tx), answer).await
    }
}

impl Answering {
    /// Keeps what was done and answers `204`.
    pub(crate) async fn done(self, tx: JobsTx) -> Result<Response> {
        let answer =
            StoredAnswer { status: StatusCode::NO_CONTENT.as_u16(), location: None, body: Vec::new() };
        self.finish(tx, answer).await
    }

    /// Keeps what was made and answers `201` with its address.
    pub(crate) async fn created(
        self,
        tx: JobsTx,
        location: String,
        body: &impl Serialize,
    ) -> Result<Response> {
        let body = serde_json::to_vec(body).map_err(permanence_domain::Error::internal)?;
        self.finish(tx, StoredAnswer { status: StatusCode::CREATED.as_u16(), location: Some(location), body })
            .await
    }

    /// Keeps what was asked for and answers `202` with the address at which it is told how it goes.
    pub(crate) async fn accepted(
        self,
        tx: JobsTx,
        location: String,
        body: &impl Serialize,
    ) -> Result<Response> {
        let body = serde_json::to_vec(body).map_err(permanence_domain::Error::internal)?;
        let status = StatusCode::ACCEPTED.as_u16();
        self.finish(tx, StoredAnswer { status, location: Some(location), body }).await
    }

    /// Keeps what was done and answers `200`.
    pub(crate) async fn ok(self, tx: JobsTx, body: &impl Serialize) -> Result<Response> {
        let body = serde_json::to_vec(body).map_err(permanence_domain::Error::internal)?;
        self.finish(tx, StoredAnswer { status: StatusCode::OK.as_u16(), location: None, body }).await
    }

    async fn finish(self, mut tx: JobsTx, answer: StoredAnswer) -> Result<Response> {
        idempotency::store(tx.conn(), &self.app.sealer, &self.keyed, &answer).await?;
        tx.commit().await?;
        Ok(render(&answer))
    }
}

/// When it is worth looking at a job that was just enqueued, in seconds.
const LOOK_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The version that a resource carries in its body.
#[derive(Deserialize)]
struct Version {
    version: i32,
}

/// Writes a stored answer; a created resource has its version as `ETag`, told again or not.
pub(crate) fn render(answer: &StoredAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    if answer.body.is_empty() {
        return status.into_response();
    }
    let mut response = (status, Body::from(answer.body.clone())).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(location) =
        answer.location.as_deref().and_then(|location| HeaderValue::from_str(location).ok())
    {
        headers.insert(header::LOCATION, location);
    }
    if status == StatusCode::ACCEPTED {
        headers.insert(header::RETRY_AFTER, LOOK_AFTER);
    }
    if status == StatusCode::CREATED
        && let Ok(Version { version }) = serde_json::from_slice(&answer.body)
    {
        respond::tag(headers, version);
    }
    response
}
