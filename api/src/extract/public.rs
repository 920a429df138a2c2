//! POST by somebody who has not signed in. The key is optional here: these routes are safe to repeat.

use std::net::IpAddr;

use axum::{
    extract::{FromRequest, Request},
    http::StatusCode,
    response::Response,
};
use chrono::Duration;
use deserr::Deserr;
use permanence_domain::{
    Error, Invalid,
    db::{Actor, SystemTx},
    idempotency::{self, Keyed, Principal, StoredAnswer},
};
use serde::Serialize;
use uuid::Uuid;

use super::{create, input, source::source};
use crate::{
    error::{ApiError, Result},
    observe::RequestId,
    state::App,
};

/// A checked request of anybody.
#[derive(Debug)]
pub(crate) struct Public<T> {
    pub(crate) body: T,
    pub(crate) actor: Actor,
    /// Where it comes from, if that is known.
    pub(crate) source: Option<IpAddr>,
    key: Option<(String, Vec<u8>)>,
    keyed: Option<Keyed>,
}

impl<T: Deserr<Invalid> + Send> FromRequest<App> for Public<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let actor = Actor::unknown(RequestId::of(&parts));
        let source = source(&parts, &app.proxies);
        let key = create::key(&parts.headers)?;
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let bytes = input::json_bytes(Request::from_parts(parts, body)).await?;
        let body = input::parse(&bytes)?;
        let fingerprint = idempotency::fingerprint(&app.fingerprint_key, method.as_str(), &path, &bytes)?;
        let key = key.map(|key| (key, fingerprint));
        Ok(Self { body, actor, source, key, keyed: None })
    }
}

impl<T> Public<T> {
    /// Opens the transaction and claims the key for `who`, whom the request has proved or whose token it holds: keys of
    /// strangers never meet. A request that was answered within `kept_for` ends here.
    pub(crate) async fn begin(&mut self, app: &App, who: Uuid, kept_for: Duration) -> Result<SystemTx> {
        let mut tx = app.db.system(self.actor).await?;
        let now = tx.now();
        if let Some((key, fingerprint)) = self.key.take() {
            let principal = Principal { tenant: Uuid::nil(), user: who };
            let keyed = Keyed { principal, key, fingerprint, kept_for };
            if let Some(answer) = idempotency::claim(tx.conn(), now, &app.sealer, &keyed).await? {
                return Err(ApiError::Replay(answer));
            }
            self.keyed = Some(keyed);
        }
        Ok(tx)
    }

    /// Keeps what was done and answers `200`.
    pub(crate) async fn answer(self, app: &App, tx: SystemTx, body: &impl Serialize) -> Result<Response> {
        let body = serde_json::to_vec(body).map_err(Error::internal)?;
        self.finish(app, tx, StatusCode::OK, body).await
    }

    /// Keeps what is to be done and answers `202`, which tells nothing.
    pub(crate) async fn accepted(self, app: &App, tx: SystemTx) -> Result<Response> {
        self.finish(app, tx, StatusCode::ACCEPTED, Vec::new()).await
    }

    async fn finish(
        self,
        app: &App,
        mut tx: SystemTx,
        status: StatusCode,
        body: Vec<u8>,
    ) -> Result<Response> {
        let answer = StoredAnswer { status: status.as_u16(), location: None, body };
        if let Some(keyed) = &self.keyed {
            idempotency::store(tx.conn(), &app.sealer, keyed, &answer).await?;
        }
        tx.commit().await?;
        Ok(create::render(&answer))
    }
}
