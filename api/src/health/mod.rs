//! For operators: is it alive, is it ready, how is it doing.

mod machine;
pub(crate) mod platform;

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use permanence_domain::error::Result;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::App;

/// A dependency that does not answer within this is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether something answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// It answers.
    Up,
    /// It does not.
    Down,
}

/// The state of the service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `up` when every dependency is.
    status: Status,
    /// The program's version.
    version: &'static str,
    /// What it depends on.
    dependencies: Dependencies,
}

/// What the service depends on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dependencies {
    /// Postgres, through the login role.
    database: Status,
    /// The S3 bucket.
    object_store: Status,
}

async fn check(what: &'static str, ping: impl Future<Output = Result<()>>) -> Status {
    match tokio::time::timeout(PATIENCE, ping).await {
        Ok(Ok(())) => Status::Up,
        Ok(Err(error)) => {
            tracing::warn!(what, %error, "dependency is down");
            Status::Down
        }
        Err(_) => {
            tracing::warn!(what, "dependency does not answer");
            Status::Down
        }
    }
}

async fn of(app: &App) -> Health {
    let (database, object_store) = tokio::join!(
        check("database", Box::pin(app.db.ping())),
        check("object store", Box::pin(app.storage.ping()))
    );
    let up = database == Status::Up && object_store == Status::Up;
    Health {
        status: if up { Status::Up } else { Status::Down },
        version: env!("CARGO_PKG_VERSION"),
        dependencies: Dependencies { database, object_store },
    }
}

/// The service and each dependency; always `200`, for people and dashboards.
#[utoipa::path(get, path = "/health", tag = "operations", responses((status = 200, body = Health)))]
pub(crate) async fn health(State(app): State<App>) -> Json<Health> {
    Json(of(&app).await)
}

/// Whether the process runs: restart it if this fails.
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 204)))]
pub(crate) async fn live() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Whether requests can be served: send none while this is `503`.
#[utoipa::path(get, path = "/health/ready", tag = "operations",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let health = of(&app).await;
    let status = if health.status == Status::Up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}

/// Metrics in the Prometheus text format; keep the path inside the operator's network.
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let text = app.metrics.as_ref().map(|handle| handle.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
