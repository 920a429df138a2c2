//! Bringing a database up to this version, as its owner; and the login role, which can do nothing by itself.

use percent_encoding::percent_decode_str;
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, migrate::Migrator, postgres::PgConnectOptions,
};
use url::Url;

use crate::config::Secret;

/// Every migration, applied in order by the owner role.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// The roles that the login of the processes may take.
const TAKEN: &str = "permanence_tenant, permanence_system, permanence_queue, permanence_person";

/// Why a database was not brought up to this version.
#[derive(Debug, thiserror::Error)]
pub enum MigrateFailure {
    /// A migration failed, or is not the one that was applied before.
    #[error("the database cannot be brought up to this version: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database refused or is away.
    #[error("the database refused: {0}")]
    Database(#[from] sqlx::Error),
    /// A login's URL cannot be read.
    #[error("DATABASE_URL or BACKUP_DATABASE_URL is not a URL")]
    LoginUrl,
    /// The login could do more than take its roles.
    #[error(
        "the role of DATABASE_URL or BACKUP_DATABASE_URL inherits privileges or is a superuser: ALTER ROLE … NOINHERIT, or take another"
    )]
    LoginTooStrong,
}

/// Applies what is missing and lets the login role of `login_url` in. Repeating it changes nothing.
pub async fn migrate(owner: &PgConnectOptions, login_url: &Secret) -> Result<(), MigrateFailure> {
    let (user, password) = login_of(login_url)?;
    let mut conn = PgConnection::connect_with(owner).await?;
    MIGRATOR.run(&mut conn).await?;
    admit(&mut conn, &user, &password, TAKEN).await?;
    conn.close().await?;
    Ok(())
}

/// Lets the login role of backups in: it may take the role that reads every row, and nothing else. Repeating it changes nothing.
pub async fn admit_backup(owner: &PgConnectOptions, login_url: &Secret) -> Result<(), MigrateFailure> {
    let (user, password) = login_of(login_url)?;
    let mut conn = PgConnection::connect_with(owner).await?;
    admit(&mut conn, &user, &password, "permanence_backup").await?;
    conn.close().await?;
    Ok(())
}

/// Makes the login role if it is new, gives it the password of its URL, and lets it connect and take its roles: each for one
/// transaction, none inherited.
async fn admit(
    conn: &mut PgConnection,
    user: &str,
    password: &str,
    roles: &str,
) -> Result<(), MigrateFailure> {
    // Role statements take no parameters: Postgres itself quotes the names into their text.
    let statements: Vec<String> = sqlx::query_scalar(
        "SELECT format('CREATE ROLE %I LOGIN NOINHERIT', $1)
         WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)
         UNION ALL SELECT format('ALTER ROLE %I PASSWORD %L', $1, $2) WHERE $2 <> ''
         UNION ALL SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), $1)
         UNION ALL SELECT format('GRANT %s TO %I', $3::text, $1)",
    )
    .bind(user)
    .bind(password)
    .bind(roles)
    .fetch_all(&mut *conn)
    .await?;
    for statement in statements {
        conn.execute(AssertSqlSafe(statement)).await?;
    }
    let inherits: bool = sqlx::query_scalar("SELECT rolinherit OR rolsuper FROM pg_roles WHERE rolname = $1")
        .bind(user)
        .fetch_one(conn)
        .await?;
    if inherits { Err(MigrateFailure::LoginTooStrong) } else { Ok(()) }
}

/// User and password of a URL, as clients read them: `%40` is an `@`.
fn login_of(url: &Secret) -> Result<(String, String), MigrateFailure> {
    let login = Url::parse(url.expose()).map_err(|_| MigrateFailure::LoginUrl)?;
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    Ok((decoded(login.username()), decoded(login.password().unwrap_or_default())))
}
