//! Bringing a database up to this version, as its owner; and the login role, which can do nothing by itself.

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, migrate::Migrator, postgres::PgConnectOptions,
};
use url::Url;

use crate::{
    config::Secret,
    error::{Error, Result},
};

/// Every migration, applied in order by the owner role.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Applies what is missing and lets the login role of `login_url` in. Repeating it changes nothing.
pub async fn migrate(owner: &PgConnectOptions, login_url: &Secret) -> Result<()> {
    let login = Url::parse(login_url.expose()).map_err(Error::internal)?;
    let mut conn = PgConnection::connect_with(owner).await?;
    MIGRATOR.run(&mut conn).await.map_err(Error::internal)?;
    admit(&mut conn, login.username(), login.password().unwrap_or_default()).await?;
    conn.close().await?;
    Ok(())
}

/// Makes the login role if it is new, and lets it connect and take the three roles: each for one transaction, none
/// inherited.
async fn admit(conn: &mut PgConnection, user: &str, password: &str) -> Result<()> {
    // Role statements take no parameters: Postgres itself quotes the names into their text.
    let statements: Vec<String> = sqlx::query_scalar(
        "SELECT format('CREATE ROLE %I LOGIN NOINHERIT PASSWORD %L', $1, $2)
         WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)
         UNION ALL SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), $1)
         UNION ALL SELECT format('GRANT permanence_tenant, permanence_system, permanence_queue TO %I', $1)",
    )
    .bind(user)
    .bind(password)
    .fetch_all(&mut *conn)
    .await?;
    for statement in statements {
        conn.execute(AssertSqlSafe(statement)).await?;
    }
    let inherits: bool = sqlx::query_scalar("SELECT rolinherit OR rolsuper FROM pg_roles WHERE rolname = $1")
        .bind(user)
        .fetch_one(conn)
        .await?;
    if inherits {
        return Err(Error::conflict(
            "login_too_strong",
            "the role of DATABASE_URL inherits privileges or is a superuser: ALTER ROLE … NOINHERIT, or take another",
        ));
    }
    Ok(())
}
