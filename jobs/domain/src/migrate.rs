//! Bringing a database up to this version, as its owner; and who may connect: the login role, which can do nothing by itself, and
//! the autoscaler's, which counts waiting jobs and can do nothing else.

use percent_encoding::percent_decode_str;
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};
use url::Url;

use crate::config::Secret;

/// Every migration, applied in order by the owner role.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Why a database was not brought up to this version.
#[derive(Debug, thiserror::Error)]
pub enum MigrateFailure {
    /// A migration failed, or is not the one that was applied before.
    #[error("the database cannot be brought up to this version: {0}")]
    Migration(#[from] MigrateError),
    /// The database refused or is away.
    #[error("the database refused: {0}")]
    Database(#[from] sqlx::Error),
    /// A login's URL cannot be read.
    #[error("DATABASE_URL, BACKUP_DATABASE_URL or DATABASE_SCALER_URL is not a URL")]
    LoginUrl,
    /// The login could do more than take its roles.
    #[error(
        "the role of DATABASE_URL inherits privileges or is a superuser: ALTER ROLE … NOINHERIT, or take another"
    )]
    LoginTooStrong,
}

/// Who a URL logs in as.
struct Login {
    user: String,
    password: String,
}

impl Login {
    fn of(url: &Secret) -> Result<Self, MigrateFailure> {
        let url = Url::parse(url.expose()).map_err(|_| MigrateFailure::LoginUrl)?;
        // As clients read them: `%40` in a URL is an `@` in the password.
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        Ok(Self { user: decoded(url.username()), password: decoded(url.password().unwrap_or_default()) })
    }
}

/// Applies what is missing and lets the login role of `login_url` in. Repeating it changes nothing.
pub async fn migrate(owner: &PgConnectOptions, login_url: &Secret) -> Result<(), MigrateFailure> {
    let login = Login::of(login_url)?;
    let mut conn = PgConnection::connect_with(owner).await?;
    // From Postgres 16 on, an owner who is no superuser may not act as a role that it makes unless it asks for that first.
    if conn.server_version_num().is_some_and(|version| version >= 160_000) {
        conn.execute("SET createrole_self_grant = 'set, inherit'").await?;
    }
    match MIGRATOR.run(&mut conn).await {
        // Of a later release, to which this one is what is gone back to: each migration only adds to what the release before knows.
        Err(MigrateError::VersionMissing(version)) if is_newer(&mut conn, version).await? => {
            tracing::warn!(version, "the database is of a later release, and stays as it is");
        }
        applied => applied?,
    }
    let taken = "permanence_tenant, permanence_system, permanence_queue, permanence_person";
    admit(&mut conn, &login, taken).await?;
    conn.close().await?;
    Ok(())
}

/// Whether the database has all of our migrations, and others after the last of them alone; `missing` is the first that is not ours.
async fn is_newer(conn: &mut PgConnection, missing: i64) -> Result<bool, sqlx::Error> {
    let ours: Vec<i64> = MIGRATOR.iter().map(|migration| migration.version).collect();
    let applied: i64 =
        sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success AND version = ANY($1)")
            .bind(&ours)
            .fetch_one(conn)
            .await?;
    Ok(ours.iter().all(|version| *version < missing)
        && usize::try_from(applied).is_ok_and(|count| count == ours.len()))
}

/// Lets the autoscaler of `scaler_url` in, which may ask how many jobs wait and nothing else. Repeating it changes nothing.
pub async fn admit_scaler(owner: &PgConnectOptions, scaler_url: &Secret) -> Result<(), MigrateFailure> {
    let scaler = Login::of(scaler_url)?;
    let mut conn = PgConnection::connect_with(owner).await?;
    make_role(&mut conn, &scaler, "INHERIT CONNECTION LIMIT 20", "permanence_scaler").await?;
    conn.close().await?;
    Ok(())
}

/// Lets the login role of backups in: it may take the role that reads every row, and nothing else. Repeating it changes nothing.
pub async fn admit_backup(owner: &PgConnectOptions, login_url: &Secret) -> Result<(), MigrateFailure> {
    let login = Login::of(login_url)?;
    let mut conn = PgConnection::connect_with(owner).await?;
    admit(&mut conn, &login, "permanence_backup").await?;
    conn.close().await?;
    Ok(())
}

/// Makes the login role if it is new, gives it the password of its URL, and lets it connect and take its roles: each for one transaction, none
/// inherited.
async fn admit(conn: &mut PgConnection, login: &Login, taken: &str) -> Result<(), MigrateFailure> {
    make_role(conn, login, "NOINHERIT", taken).await?;
    let inherits: bool = sqlx::query_scalar("SELECT rolinherit OR rolsuper FROM pg_roles WHERE rolname = $1")
        .bind(&login.user)
        .fetch_one(conn)
        .await?;
    if inherits { Err(MigrateFailure::LoginTooStrong) } else { Ok(()) }
}

/// Makes a role that logs in, if it is new, with these options and memberships, and the password of its URL.
async fn make_role(
    conn: &mut PgConnection,
    login: &Login,
    options: &str,
    member_of: &str,
) -> Result<(), MigrateFailure> {
    // Role statements take no parameters: Postgres itself quotes the names into their text. Options and memberships are ours.
    let statements: Vec<String> = sqlx::query_scalar(
        "SELECT format('CREATE ROLE %I LOGIN ', $1) || $3
         WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)
         UNION ALL SELECT format('ALTER ROLE %I PASSWORD %L', $1, $2) WHERE $2 <> ''
         UNION ALL SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), $1)
         UNION ALL SELECT format('GRANT %s TO %I', $4, $1)",
    )
    .bind(&login.user)
    .bind(&login.password)
    .bind(options)
    .bind(member_of)
    .fetch_all(&mut *conn)
    .await?;
    for statement in statements {
        conn.execute(AssertSqlSafe(statement)).await?;
    }
    Ok(())
}
