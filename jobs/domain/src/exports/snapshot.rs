//! A tenant's rows as they stand at one moment, read for as long as it takes: a read-only transaction in the tenant's role,
//! on a connection of its own, which ends with it. Owns how rows are read; never what they are written as.

use std::time::Duration;

use chrono_tz::Tz;
use futures::{Stream, TryStreamExt};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{Filters, Kind};
use crate::{
    billing::Chart,
    db::{Db, TENANT_ROLE},
    error::{Error, Result},
    field::Day,
    ids::TenantId,
    scheduling::{AppointmentStatus, day_bounds},
};

/// How long one statement of a snapshot may take; ordinary transactions have half a minute.
const PATIENCE: Duration = Duration::from_hours(4);

/// What a tenant has at one moment. Dropped in the middle, its connection closes and the server stops.
#[derive(Debug)]
pub struct Snapshot {
    conn: PgConnection,
}

impl Snapshot {
    /// Opens the moment, with what is to be read limited to `filters`. Times are read as the clocks of `clocks` show them.
    pub async fn open(db: &Db, tenant: TenantId, filters: &Filters, zone: Tz, clocks: Tz) -> Result<Self> {
        // Not one of the pool's: dropped in the middle of a million rows, a pooled connection would have to read the rest.
        let mut conn = PgConnection::connect_with(&db.connect_options()).await?;
        let statement = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; {TENANT_ROLE} '{}'",
            PATIENCE.as_millis(),
            tenant.0.as_hyphenated()
        );
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await?;
        limit(&mut conn, filters, zone, Some(clocks)).await?;
        Ok(Self { conn })
    }

    /// How many rows there are. The first statement, so the moment is fixed from here on.
    pub async fn count(&mut self, kind: &Kind) -> Result<i64> {
        kind.count(&mut self.conn).await
    }

    /// The rows, as lines of CSV whose fields are the kind's columns; NULL is an empty field.
    pub async fn rows(&mut self, kind: &Kind) -> Result<impl Stream<Item = Result<impl AsRef<[u8]>>>> {
        self.copy(kind.copy).await
    }

    /// What a COPY gives, as it comes.
    pub async fn copy(
        &mut self,
        statement: &'static str,
    ) -> Result<impl Stream<Item = Result<impl AsRef<[u8]>>>> {
        Ok(self.conn.copy_out_raw(statement).await?.map_err(Error::from))
    }

    /// Ends the moment.
    pub async fn close(self) -> Result<()> {
        Ok(self.conn.close().await?)
    }
}

/// Limits what the kinds' statements read in this transaction. COPY takes no parameters, so they are settings.
pub(super) async fn limit(
    conn: &mut PgConnection,
    filters: &Filters,
    zone: Tz,
    clocks: Option<Tz>,
) -> Result<()> {
    let from = filters.from.map(|Day(day)| day_bounds(day, zone).0.to_rfc3339());
    let until = filters.to.map(|Day(day)| day_bounds(day, zone).1.to_rfc3339());
    let practitioner = filters.practitioner_id.map(|id| id.to_string());
    let status = filters.status.map(AppointmentStatus::as_str);
    // What a practice calls its accounts would be read here.
    let accounts = serde_json::to_string(&Chart::standard()).map_err(Error::internal)?;
    let days = [filters.from, filters.to].map(|day| day.map(|Day(day)| day.to_string()));
    sqlx::query!(
        "SELECT set_config('permanence.export_from', COALESCE($1, ''), true) AS a,
                set_config('permanence.export_until', COALESCE($2, ''), true) AS b,
                set_config('permanence.export_practitioner', COALESCE($3, ''), true) AS c,
                set_config('permanence.export_status', COALESCE($4, ''), true) AS d,
                set_config('permanence.export_from_day', COALESCE($5, ''), true) AS e,
                set_config('permanence.export_to_day', COALESCE($6, ''), true) AS f,
                set_config('TimeZone', COALESCE($7, current_setting('TimeZone')), true) AS g,
                set_config('permanence.export_accounts', $8, true) AS h",
        from,
        until,
        practitioner,
        status,
        days[0],
        days[1],
        clocks.map(Tz::name),
        accounts,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}
