//! One refresh, from its turn to its end. Readers see the old figures until the new ones are there; a refresh that dies
//! leaves the old ones.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{
    View,
    jobs::{PATIENCE, RefreshView},
};
use crate::{
    db::{Actor, Db, SystemTx},
    error::{Error, Result},
};

/// How long it waits for the view's lock; readers do not hold it.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// How soon the server notices that the worker has died, and stops.
const LOOK_FOR_CLIENT: Duration = Duration::from_secs(2);
/// How long it is kept that a refresh was.
const KEPT: TimeDelta = TimeDelta::days(90);

/// What a refresh that is asked for begins with.
#[derive(Debug)]
pub enum Start {
    /// It is this view's turn.
    Refresh(Refresh),
    /// A refresh has gone well that began after this one was asked for: there is nothing to do.
    Served,
    /// Another refresh of this view is under way.
    Busy,
}

/// A refresh whose turn it is: a transaction of the system role on a connection of its own. Dropped in the middle, the
/// connection closes and the server stops.
#[derive(Debug)]
pub struct Refresh {
    conn: PgConnection,
    view: View,
    number: i64,
}

/// What a refresh brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refreshed {
    /// The moment that the figures are of.
    pub as_of: DateTime<Utc>,
    /// How long it took.
    pub took: TimeDelta,
    /// How many rows the view has, all tenants together.
    pub rows: i64,
}

/// Takes the view's turn and notes that a refresh begins, unless one has served this already.
pub async fn begin(db: &Db, asked: RefreshView) -> Result<Start> {
    let Some(conn) = take_turn(db, asked.view).await? else { return Ok(Start::Busy) };
    let mut tx = db.system(Actor::JOB).await?;
    if is_served(&mut tx, asked).await? {
        tx.rollback().await?;
        return Ok(Start::Served);
    }
    let number = note_start(&mut tx, asked.view).await?;
    tx.commit().await?;
    Ok(Start::Refresh(Refresh { conn, view: asked.view, number }))
}

/// Notes that a refresh came to nothing; the figures are what they were.
pub async fn failed(db: &Db, number: i64, error: &str) -> Result<()> {
    let mut tx = db.system(Actor::JOB).await?;
    let now = tx.now();
    sqlx::query!(
        "UPDATE view_refreshes SET ended_at = $2, error = $3 WHERE id = $1 AND ended_at IS NULL",
        number,
        now,
        error
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}

impl Refresh {
    /// Its number among all refreshes.
    pub fn number(&self) -> i64 {
        self.number
    }

    /// Refreshes the view. The new figures and their moment come with one commit.
    pub async fn run(mut self, db: &Db) -> Result<Refreshed> {
        sqlx::raw_sql(self.view.refreshing()).execute(&mut self.conn).await?;
        let rows: i64 = sqlx::query_scalar(self.view.counting()).fetch_one(&mut self.conn).await?;
        let ended_at = db.clock().now();
        let as_of = sqlx::query_scalar!(
            "UPDATE view_refreshes SET ended_at = $2, rows = $3 WHERE id = $1 AND ended_at IS NULL RETURNING started_at",
            self.number,
            ended_at,
            rows
        )
        .fetch_one(&mut self.conn)
        .await?;
        sqlx::raw_sql("COMMIT").execute(&mut self.conn).await?;
        self.conn.close().await?;
        Ok(Refreshed { as_of, took: ended_at - as_of, rows })
    }
}

/// Opens the transaction that refreshes and takes the view's turn in it, so that whoever dies gives it back; none where
/// another has it.
async fn take_turn(db: &Db, view: View) -> Result<Option<PgConnection>> {
    // Not one of the pool's: the limits below are this connection's alone, and it may be dropped in the middle.
    let mut conn = PgConnection::connect_with(&db.connect_options()).await?;
    let statement = format!(
        "SET client_connection_check_interval = {}; BEGIN; SET LOCAL ROLE permanence_system;
         SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}",
        LOOK_FOR_CLIENT.as_millis(),
        PATIENCE.as_millis(),
        LOCK_PATIENCE.as_millis(),
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await?;
    let turn = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended('figures.refresh_view ' || $1, 0)) AS "turn!""#,
        view.name()
    )
    .fetch_one(&mut conn)
    .await?;
    Ok(turn.then_some(conn))
}

/// Whether a refresh has gone well that began after this one was asked for, and so saw all that was written before.
async fn is_served(tx: &mut SystemTx, asked: RefreshView) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM view_refreshes WHERE view = $1 AND id > $2 AND rows IS NOT NULL) AS "served!""#,
        asked.view.name(),
        asked.after
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Notes the begin, before the snapshot is taken. Whoever has the turn is alone: what has no end by now, never will.
async fn note_start(tx: &mut SystemTx, view: View) -> Result<i64> {
    let now = tx.now();
    sqlx::query!(
        "UPDATE view_refreshes SET ended_at = $2, error = 'interrupted' WHERE view = $1 AND ended_at IS NULL",
        view.name(),
        now
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM view_refreshes WHERE view = $1 AND started_at < $2
           AND id < (SELECT max(id) FROM view_refreshes WHERE view = $1 AND rows IS NOT NULL)",
        view.name(),
        now - KEPT
    )
    .execute(tx.conn())
    .await?;
    sqlx::query_scalar!(
        "INSERT INTO view_refreshes (view, started_at) VALUES ($1, $2) RETURNING id",
        view.name(),
        now
    )
    .fetch_one(tx.conn())
    .await
    .map_err(Error::from)
}
