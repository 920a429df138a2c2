//! How fresh a view is, and what its refreshes do. It changes nothing.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::View;
use crate::{
    db::{SystemTx, TenantTx},
    error::{Error, Result},
};

/// How a view stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ViewState {
    /// The view.
    pub view: View,
    /// The moment that its figures are of; none before its first refresh.
    pub as_of: Option<DateTime<Utc>>,
    /// How long the refresh took that brought them, seconds.
    pub took_seconds: Option<f64>,
    /// Since when it is being refreshed, if it is.
    pub refreshing_since: Option<DateTime<Utc>>,
    /// Why the last refresh that ended came to nothing: a stable word. None once one has gone well again.
    pub last_error: Option<String>,
}

/// How old a view's figures are, and for how long it has been refreshed: what an operator watches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViewAge {
    /// The view.
    pub view: View,
    /// How old its figures are, seconds; none before its first refresh.
    pub age_seconds: Option<f64>,
    /// For how long it has been refreshed, seconds; 0 where it is not.
    pub refreshing_seconds: f64,
}

/// Every view.
pub async fn view_states(tx: &mut TenantTx) -> Result<Vec<ViewState>> {
    states(tx.conn(), View::ALL).await
}

/// One view.
pub async fn view_state(tx: &mut TenantTx, view: View) -> Result<ViewState> {
    let states = states(tx.conn(), &[view]).await?;
    states.into_iter().next().ok_or(Error::NotFound("view"))
}

/// How old every view is at this moment.
pub async fn ages(tx: &mut SystemTx) -> Result<Vec<ViewAge>> {
    let now = tx.now();
    let seconds = |since: DateTime<Utc>| (now - since).as_seconds_f64();
    let states = states(tx.conn(), View::ALL).await?;
    let ages = states.into_iter().map(|state| ViewAge {
        view: state.view,
        age_seconds: state.as_of.map(seconds),
        refreshing_seconds: state.refreshing_since.map(seconds).unwrap_or_default(),
    });
    Ok(ages.collect())
}

/// How these views stand, in their order.
pub(super) async fn states(conn: &mut PgConnection, views: &[View]) -> Result<Vec<ViewState>> {
    let names: Vec<&str> = views.iter().map(|view| view.name()).collect();
    let rows = sqlx::query!(
        r#"SELECT done.started_at AS "as_of?", done.ended_at AS "done_at?",
                  CASE WHEN last.ended_at IS NULL THEN last.started_at END AS refreshing_since,
                  (SELECT r.error FROM view_refreshes r
                   WHERE r.view = v.view AND r.ended_at IS NOT NULL ORDER BY r.id DESC LIMIT 1) AS error
           FROM unnest($1::text[]) WITH ORDINALITY AS v (view, place)
           LEFT JOIN LATERAL (
               SELECT r.started_at, r.ended_at FROM view_refreshes r
               WHERE r.view = v.view AND r.ended_at IS NOT NULL AND r.error IS NULL ORDER BY r.id DESC LIMIT 1
           ) AS done ON true
           LEFT JOIN LATERAL (
               SELECT r.started_at, r.ended_at FROM view_refreshes r
               WHERE r.view = v.view ORDER BY r.id DESC LIMIT 1
           ) AS last ON true
           ORDER BY v.place"#,
        &names as _,
    )
    .fetch_all(conn)
    .await?;
    let states = views.iter().zip(rows).map(|(view, row)| ViewState {
        view: *view,
        as_of: row.as_of,
        took_seconds: row.as_of.zip(row.done_at).map(|(from, to)| (to - from).as_seconds_f64()),
        refreshing_since: row.refreshing_since,
        last_error: row.error,
    });
    Ok(states.collect())
}
