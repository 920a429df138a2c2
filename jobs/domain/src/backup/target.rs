//! The database that a backup is restored into: empty before, made ready by its owner, compared afterwards, and brought back to work.
//! Refuses before it changes anything.

use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};

use super::{Manifest, Origin, TableFigures, table_figures};
use crate::{
    audit,
    config::Secret,
    db::{Actor, Db},
    error::{Error, Result},
    migrate::MIGRATOR,
    operations,
    storage::Storage,
};

/// An empty database, opened by the owner that its tables will have.
#[derive(Debug)]
pub struct Target {
    conn: PgConnection,
}

impl Target {
    /// Opens a database for a backup; refused where it holds anything, where its server or this program is older than the backup, or
    /// where the tables would get another owner.
    pub async fn open(url: &Secret, origin: &Origin) -> Result<Self> {
        let options: PgConnectOptions = url.expose().parse().map_err(Error::from)?;
        let mut conn = PgConnection::connect_with(&options.options([("statement_timeout", "0")])).await?;
        let row = sqlx::query!(
            r#"SELECT current_user::text AS "user!", current_database()::text AS "database!",
                      current_setting('server_version_num')::integer AS "server!",
                      (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                       WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%')
                      + (SELECT count(*) FROM pg_namespace WHERE nspname = 'queue') AS "things!""#
        )
        .fetch_one(&mut conn)
        .await?;
        // From Postgres 16 on, an owner who is no superuser may not act as a role that it makes unless it asks for that first.
        if row.server >= 160_000 {
            sqlx::raw_sql("SET createrole_self_grant = 'set, inherit'").execute(&mut conn).await?;
        }
        if row.things > 0 {
            let detail =
                format!("the database {} is not empty: a backup is restored into an empty one", row.database);
            return Err(Error::conflict("database_not_empty", detail));
        }
        if row.server / 10_000 < origin.server / 10_000 {
            let (has, had) = (row.server / 10_000, origin.server / 10_000);
            let detail =
                format!("the backup is of Postgres {had}, this server is {has}: take one that is as new");
            return Err(Error::conflict("server_too_old", detail));
        }
        if row.user != origin.owner {
            let (is, was) = (row.user, &origin.owner);
            let detail =
                format!("the tables belonged to {was}, and this is {is}: restore as a role of that name");
            return Err(Error::conflict("other_owner", detail));
        }
        if MIGRATOR.iter().all(|migration| migration.version != origin.schema) {
            let detail =
                format!("this program does not know migration {}: take the one that made it", origin.schema);
            return Err(Error::conflict("backup_too_new", detail));
        }
        Ok(Self { conn })
    }

    /// Makes what a dump leaves out: the roles, what they may do with the database, and what the owner needs to hand things over.
    pub async fn prepare(&mut self, origin: &Origin) -> Result<()> {
        self.each(
            "SELECT format('CREATE ROLE %I NOLOGIN NOINHERIT', name) FROM unnest($1::text[]) AS name
             WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)",
            &origin.roles,
        )
        .await?;
        self.each(
            "SELECT format('GRANT %I TO %I', name, current_user) FROM unnest($1::text[]) AS name
             WHERE NOT pg_has_role(current_user, name, 'MEMBER')",
            &origin.owner_takes,
        )
        .await?;
        self.each(
            "SELECT format('GRANT CREATE ON SCHEMA public TO %I', name) FROM unnest($1::text[]) AS name",
            &origin.owner_takes,
        )
        .await?;
        self.each("SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) WHERE $1::text[] IS NOT NULL", &[])
            .await?;
        for (role, privilege) in &origin.grants {
            // The manifest is marked; still only what a database knows is granted.
            if !["CONNECT", "TEMPORARY", "CREATE"].contains(&privilege.as_str()) {
                return Err(Error::internal("the manifest grants what a database does not know"));
            }
            let grant = format!(
                "SELECT format('GRANT {privilege} ON DATABASE %I TO %I', current_database(), name) FROM unnest($1::text[]) AS name"
            );
            self.each(&grant, std::slice::from_ref(role)).await?;
        }
        Ok(())
    }

    /// Takes back what was needed to hand things over, and lets the planner know the tables.
    pub async fn settle(&mut self, origin: &Origin) -> Result<()> {
        self.each(
            "SELECT format('REVOKE CREATE ON SCHEMA public FROM %I', name) FROM unnest($1::text[]) AS name",
            &origin.owner_takes,
        )
        .await?;
        sqlx::raw_sql("ANALYZE").execute(&mut self.conn).await?;
        Ok(())
    }

    /// What every table holds, seen as the backup saw it: the owner may be bound by row-level security.
    pub async fn figures(&mut self) -> Result<Vec<TableFigures>> {
        self.each(
            "SELECT format('GRANT %I TO %I', name, current_user) FROM unnest($1::text[]) AS name
             WHERE NOT pg_has_role(current_user, name, 'MEMBER')",
            &["permanence_backup".to_owned()],
        )
        .await?;
        let mut tx = self.conn.begin().await?;
        sqlx::raw_sql("SET LOCAL ROLE permanence_backup").execute(&mut *tx).await?;
        let figures = table_figures(&mut tx).await?;
        tx.rollback().await?;
        Ok(figures)
    }

    /// Closes it.
    pub async fn close(self) -> Result<()> {
        Ok(self.conn.close().await?)
    }

    /// Executes each statement that a query gives. Statements about roles take no parameters: Postgres itself quotes the names.
    async fn each(&mut self, query: &str, names: &[String]) -> Result<()> {
        let statements: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(query.to_owned())).bind(names).fetch_all(&mut self.conn).await?;
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut self.conn).await?;
        }
        Ok(())
    }
}

/// Brings a restored and migrated database back to work: its own backup counts as whole, and reminders wait for a person, because some
/// that the backup holds as planned may have left since. Gives how many anchors of the audit trail are newer than the backup.
/// Repeating it changes nothing.
pub async fn resume_after_restore(db: &Db, anchors: &Storage, manifest: &Manifest) -> Result<usize> {
    let mut tx = db.system(Actor::COMMAND_LINE).await?;
    super::complete(&mut tx, manifest).await?;
    operations::pause_queue(&mut tx, "reminders").await?;
    audit::record_system(&mut tx, None, "backup.restore", "backup", manifest.id.0).await?;
    tx.commit().await?;
    let mut tx = db.system(Actor::COMMAND_LINE).await?;
    let beyond = audit::anchors_beyond(&mut tx, anchors).await?;
    tx.commit().await?;
    Ok(beyond)
}
