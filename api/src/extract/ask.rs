//! POST that changes nothing: a question too long for a query string. Its `Idempotency-Key` may be left out.

use std::marker::PhantomData;

use axum::extract::{FromRequest, FromRequestParts, Request};
use deserr::Deserr;
use permanence_domain::{Invalid, db::TenantTx};

use super::{Caller, Permission, create::key, input};
use crate::{
    error::{ApiError, Result},
    state::App,
};

/// A checked question, and the transaction it is answered in.
#[derive(Debug)]
pub(crate) struct Ask<P, T> {
    pub(crate) tx: TenantTx,
    pub(crate) body: T,
    scope: PhantomData<P>,
}

impl<P: Permission, T: Deserr<Invalid> + Send> FromRequest<App> for Ask<P, T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        key(&parts.headers)?;
        let bytes = input::json_bytes(Request::from_parts(parts, body)).await?;
        let body = input::parse(&bytes)?;
        let (tx, _) = caller.open(app, P::SCOPE).await?;
        Ok(Self { tx, body, scope: PhantomData })
    }
}
