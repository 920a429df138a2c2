//! Figures: how fresh they are, and having them refreshed.

use axum::{Json, response::Response};
use permanence_domain::figures::{self, ViewState};

use crate::{
    error::{CommonErrors, Result},
    extract::{Create, Empty, FiguresRead, FiguresWrite, Read, ViewName},
};

/// Every view: the moment that its figures are of, and what its refreshes do.
#[utoipa::path(get, path = "/figures", tag = "figures", security(("bearer" = [])),
    responses((status = 200, body = Vec<ViewState>), CommonErrors))]
pub(crate) async fn list_views(mut read: Read<FiguresRead>) -> Result<Json<Vec<ViewState>>> {
    let states = figures::view_states(&mut read.tx).await?;
    read.tx.commit().await?;
    Ok(Json(states))
}

/// Have a view refreshed: `Location` is the job. While one waits, asking again is answered by it.
#[utoipa::path(post, path = "/figures/{view}/refresh", tag = "figures", security(("bearer" = [])),
    params(("view" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 202, body = ViewState), CommonErrors))]
pub(crate) async fn refresh_view(
    ViewName(view): ViewName,
    mut create: Create<FiguresWrite, Empty>,
) -> Result<Response> {
    let job = figures::request(&mut create.tx, view).await?;
    let state = figures::view_state(&mut create.tx, view).await?;
    create.accepted(format!("/api/v1/jobs/{}", job.0), &state).await
}
