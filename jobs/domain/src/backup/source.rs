//! The database that is backed up: one moment of it, seen by the role that may read every row and do nothing else.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::{Origin, TableFigures, table_figures};
use crate::{
    config::Secret,
    error::{Error, Result},
};

/// A moment of the database, held until it is dropped. A dump of [`Source::snapshot`] and the figures are of the same moment.
#[derive(Debug)]
pub struct Source {
    conn: PgConnection,
    snapshot: String,
}

impl Source {
    /// Opens every table to the role, then holds a moment.
    pub async fn open(url: &Secret) -> Result<Self> {
        let options: PgConnectOptions = url.expose().parse().map_err(Error::from)?;
        let options = options.application_name("permanence-backup").options([
            ("idle_in_transaction_session_timeout", "0"),
            // What stands in the way of a policy for a new table is told, not waited for.
            ("lock_timeout", "30s"),
        ]);
        let mut conn = PgConnection::connect_with(&options).await?;
        sqlx::raw_sql("SET ROLE permanence_backup").execute(&mut conn).await?;
        sqlx::query!("SELECT open_to_backups()").fetch_one(&mut conn).await?;
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut conn).await?;
        let snapshot =
            sqlx::query_scalar!(r#"SELECT pg_export_snapshot() AS "snapshot!""#).fetch_one(&mut conn).await?;
        Ok(Self { conn, snapshot })
    }

    /// The moment's name, for `pg_dump --snapshot`.
    pub fn snapshot(&self) -> &str {
        &self.snapshot
    }

    /// When it is, by the database's clock.
    pub async fn at(&mut self) -> Result<DateTime<Utc>> {
        Ok(sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(&mut self.conn).await?)
    }

    /// What a dump leaves out.
    pub async fn origin(&mut self) -> Result<Origin> {
        // The table is sqlx's own: no query of it can be checked against the migrations.
        let schema: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut self.conn)
            .await?;
        let row = sqlx::query!(
            r#"SELECT current_setting('server_version_num')::integer AS "server!",
                      (SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = 'tenants'::regclass) AS "owner!",
                      ARRAY(SELECT rolname::text FROM pg_roles
                            WHERE rolname LIKE 'permanence\_%' AND NOT rolcanlogin ORDER BY 1) AS "roles!",
                      ARRAY(SELECT r.rolname::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
                            WHERE m.member = (SELECT relowner FROM pg_class WHERE oid = 'tenants'::regclass)
                              AND r.rolname LIKE 'permanence\_%' ORDER BY 1) AS "owner_takes!""#
        )
        .fetch_one(&mut self.conn)
        .await?;
        let grants = sqlx::query!(
            r#"SELECT r.rolname::text AS "role!", acl.privilege_type AS "privilege!"
               FROM pg_database d, aclexplode(d.datacl) acl JOIN pg_roles r ON r.oid = acl.grantee
               WHERE d.datname = current_database() AND r.rolname LIKE 'permanence\_%' AND NOT r.rolcanlogin
               ORDER BY 1, 2"#
        )
        .map(|row| (row.role, row.privilege))
        .fetch_all(&mut self.conn)
        .await?;
        Ok(Origin {
            server: row.server,
            schema,
            owner: row.owner,
            roles: row.roles,
            owner_takes: row.owner_takes,
            grants,
        })
    }

    /// What every table holds.
    pub async fn figures(&mut self) -> Result<Vec<TableFigures>> {
        table_figures(&mut self.conn).await
    }

    /// Lets the moment go.
    pub async fn close(self) -> Result<()> {
        Ok(self.conn.close().await?)
    }
}
