//! Signing in and out.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use permanence_domain::{
    Error,
    config::Secret,
    idempotency,
    identity::{
        self, AcceptInvitation, Attempt, ForgotPassword, Member, Refresh, RefreshRequest, ResetPassword,
        SignIn, SignedIn,
    },
    ids::UserId,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{CommonErrors, ProblemBody, Result},
    extract::{Caller, Empty, Idempotent, Public},
    state::App,
};

/// Sign in with email and password.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = SignIn,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = SignedIn),
        (status = 429, description = "It was tried too often: `Retry-After` says when it may be tried again.",
            content_type = "application/problem+json", body = ProblemBody),
        CommonErrors))]
pub(crate) async fn login(State(app): State<App>, mut request: Public<SignIn>) -> Result<Response> {
    let Public { actor, source, body: sign_in, .. } = &request;
    let (tenant, attempt) = (sign_in.tenant_id, Attempt { actor: *actor, source: *source, sign_in });
    let authenticated = identity::authenticate(&app.db, &app.tokens.hashes, &attempt).await?;
    let mut tx = request.begin(&app, authenticated.user.0, identity::PARALLEL_TABS).await?;
    let signed_in = identity::open_session(&mut tx, &app.tokens, authenticated, tenant).await?;
    request.answer(&app, tx, &signed_in).await
}

/// Renew a session; the refresh token is used up by it and a new one given.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", request_body = RefreshRequest,
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 200, body = SignedIn), CommonErrors))]
pub(crate) async fn refresh(State(app): State<App>, mut request: Public<RefreshRequest>) -> Result<Response> {
    // Not longer than two tabs may share a token: an older answer holds tokens that are used up.
    let holder = app.tokens.holder(&request.body.refresh_token)?;
    let mut tx = request.begin(&app, holder, identity::PARALLEL_TABS).await?;
    match identity::refresh(&mut tx, &app.tokens, &request.body).await? {
        Refresh::Renewed(signed_in) => request.answer(&app, tx, &*signed_in).await,
        Refresh::Reused(session) => {
            // In a transaction of its own: this request's is given up with its claim of a key.
            tx.rollback().await?;
            let mut tx = app.db.system(request.actor).await?;
            identity::close_reused(&mut tx, &session).await?;
            tx.commit().await?;
            Err(Error::Unauthenticated("token_reuse").into())
        }
    }
}

/// Who has accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// The user, who may sign in now.
    user_id: UserId,
}

/// Accept an invitation with the token of its mail: a new user chooses a password, one who works elsewhere already
/// gives theirs.
#[utoipa::path(post, path = "/auth/accept-invitation", tag = "auth", request_body = AcceptInvitation,
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 200, body = Accepted), CommonErrors))]
pub(crate) async fn accept_invitation(
    State(app): State<App>,
    mut request: Public<AcceptInvitation>,
) -> Result<Response> {
    let holder = app.tokens.holder(&request.body.token)?;
    let mut tx = request.begin(&app, holder, idempotency::KEPT_FOR).await?;
    let user_id = match identity::accept_invitation(&mut tx, &app.tokens, &request.body).await {
        Err(Error::Unauthenticated(code)) => {
            tx.rollback().await?;
            identity::refuse_acceptance(&app.db, request.actor).await?;
            return Err(Error::Unauthenticated(code).into());
        }
        accepted => accepted?,
    };
    request.answer(&app, tx, &Accepted { user_id }).await
}

/// Ask for a link by which to choose another password. The answer is the same whether or not anybody has this address.
#[utoipa::path(post, path = "/auth/forgot-password", tag = "auth", request_body = ForgotPassword,
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 202), CommonErrors))]
pub(crate) async fn forgot_password(
    State(app): State<App>,
    mut request: Public<ForgotPassword>,
) -> Result<Response> {
    let asker = app.tokens.holder(&Secret::new(request.body.email.as_str()))?;
    let mut tx = request.begin(&app, asker, idempotency::KEPT_FOR).await?;
    identity::forgot_password(&mut tx, &request.body).await?;
    request.accepted(&app, tx).await
}

/// Whose password was set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PasswordSet {
    /// The user, who may sign in with it now.
    user_id: UserId,
}

/// Choose another password with the token of the mail; every session of the user ends.
#[utoipa::path(post, path = "/auth/reset-password", tag = "auth", request_body = ResetPassword,
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 200, body = PasswordSet), CommonErrors))]
pub(crate) async fn reset_password(
    State(app): State<App>,
    mut request: Public<ResetPassword>,
) -> Result<Response> {
    let holder = app.tokens.holder(&request.body.token)?;
    let mut tx = request.begin(&app, holder, idempotency::KEPT_FOR).await?;
    let user_id = identity::reset_password(&mut tx, &app.tokens.hashes, &request.body).await?;
    request.answer(&app, tx, &PasswordSet { user_id }).await
}

/// End the session; its tokens are worth nothing from now on. Twice is the same as once, with a key or without.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 204), CommonErrors))]
pub(crate) async fn logout(
    State(app): State<App>,
    caller: Caller,
    Idempotent(Empty {}): Idempotent<Empty>,
) -> Result<StatusCode> {
    let mut tx = app.db.tenant(caller.claims.tenant, caller.actor).await?;
    identity::logout(&mut tx, caller.claims.sid).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The signed-in user, as a member of the present tenant.
#[utoipa::path(get, path = "/auth/me", tag = "auth", security(("bearer" = [])),
    responses((status = 200, body = Member), CommonErrors))]
pub(crate) async fn me(State(app): State<App>, caller: Caller) -> Result<Json<Member>> {
    let (mut tx, _) = caller.open(&app, None).await?;
    let member = identity::get_member(&mut tx, caller.claims.sub).await?;
    tx.commit().await?;
    Ok(Json(member))
}
