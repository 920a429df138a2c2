//! Figures: the practice at a glance, its years, how fresh they are and having them refreshed.

use axum::{Json, response::Response};
use permanence_domain::{
    figures::{self, History, Overview, ViewState, Years},
    identity::Scope,
};

use crate::{
    error::{CommonErrors, Result},
    extract::{AppointmentsRead, Create, Empty, FiguresRead, FiguresWrite, Query, Read, ViewName},
};

/// The practice at a glance: the agenda as it stands now, money and what is to come as of the moment that is told.
#[utoipa::path(get, path = "/dashboard/overview", tag = "figures", security(("bearer" = [])),
    responses((status = 200, body = Overview), CommonErrors))]
pub(crate) async fn get_overview(mut read: Read<AppointmentsRead>) -> Result<Json<Overview>> {
    let overview = figures::overview(&mut read.tx, read.role.may(Scope::BillingRead)).await?;
    read.tx.commit().await?;
    Ok(Json(overview))
}

/// The practice's years, month by month: several series, ready for a chart.
#[utoipa::path(get, path = "/dashboard/history", tag = "figures", security(("bearer" = [])), params(Years),
    responses((status = 200, body = History), CommonErrors))]
pub(crate) async fn get_history(
    mut read: Read<AppointmentsRead>,
    Query(years): Query<Years>,
) -> Result<Json<History>> {
    let history = figures::history(&mut read.tx, read.role, years).await?;
    read.tx.commit().await?;
    Ok(Json(history))
}

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
