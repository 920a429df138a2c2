//! POST by somebody who has not signed in. The key is optional here: these routes are safe to repeat.

use axum::{
    extract::{FromRequest, Request},
    http::StatusCode,
    response::Response,
};
use deserr::Deserr;
use permanence_domain::{
    Error, Invalid,
    db::{Actor, SystemTx},
    idempotency::{self, Keyed, Principal, StoredAnswer},
};
use serde::Serialize;

use super::{create, input};
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
    keyed: Option<Keyed>,
}

impl<T: Deserr<Invalid> + Send> FromRequest<App> for Public<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let actor = Actor { user: None, request: RequestId::of(&parts) };
        let key = create::key(&parts.headers)?;
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let bytes = input::json_bytes(Request::from_parts(parts, body)).await?;
        let body = input::parse(&bytes)?;
        let fingerprint = idempotency::fingerprint(&app.fingerprint_key, method.as_str(), &path, &bytes)?;
        let keyed = key.map(|key| Keyed { principal: Principal::PUBLIC, key, fingerprint });
        Ok(Self { body, actor, keyed })
    }
}

impl<T> Public<T> {
    /// Opens the transaction and claims the key; a request that was answered before ends here.
    pub(crate) async fn begin(&self, app: &App) -> Result<SystemTx> {
        let mut tx = app.db.system(self.actor).await?;
        let now = tx.now();
        if let Some(keyed) = &self.keyed
            && let Some(answer) = idempotency::claim(tx.conn(), now, &app.sealer, keyed).await?
        {
            return Err(ApiError::Replay(answer));
        }
        Ok(tx)
    }

    /// Keeps what was done and answers `200`.
    pub(crate) async fn answer(self, app: &App, mut tx: SystemTx, body: &impl Serialize) -> Result<Response> {
        let body = serde_json::to_vec(body).map_err(Error::internal)?;
        let answer = StoredAnswer { status: StatusCode::OK.as_u16(), location: None, body };
        if let Some(keyed) = &self.keyed {
            idempotency::store(tx.conn(), &app.sealer, keyed, &answer).await?;
        }
        tx.commit().await?;
        Ok(create::render(&answer))
    }
}
