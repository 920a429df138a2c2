//! A database of its own for every test, copied from a template that is migrated once per process.
//! It never shares a connection between tests: each has a runtime of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::sync::OnceCell;

use crate::Error;
use crate::postgres::{Durability, Options, Postgres, quote, random_hex};

mod sweeper;

/// The role that the processes log in as: it can do nothing but take the roles that the migrations make.
pub const LOGIN: &str = "permanence_login";

/// The roles that [`LOGIN`] may take, where the migrations make them.
const TAKEN: [&str; 3] = ["permanence_tenant", "permanence_system", "permanence_queue"];

static SERVER: OnceCell<Postgres> = OnceCell::const_new();
static COUNTER: AtomicU32 = AtomicU32::new(1);
/// One template per migrator, known by its address.
static TEMPLATES: LazyLock<Mutex<HashMap<usize, Arc<OnceCell<String>>>>> = LazyLock::new(Mutex::default);

/// A migrated, empty database for one test; dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    server: &'static Postgres,
    name: String,
}

impl TestDatabase {
    /// Creates a database; the first call of a process starts its throwaway server and migrates the template.
    ///
    /// # Panics
    /// When there is no Postgres or the migrations do not apply: no test can go on from there.
    pub async fn create(migrator: &'static Migrator) -> Self {
        match Self::try_create(migrator).await {
            Ok(database) => database,
            Err(error) => panic!("no database for this test: {error}"),
        }
    }

    async fn try_create(migrator: &'static Migrator) -> Result<Self, Error> {
        let server = SERVER.get_or_try_init(start).await?;
        let template = template_of(migrator);
        let template = template.get_or_try_init(|| migrate(server, migrator)).await?;
        let name = next_name("test");
        let mut connection = server.connect("postgres").await?;
        run(&mut connection, format!("CREATE DATABASE {} TEMPLATE {}", quote(&name), quote(template)))
            .await?;
        let database = Self { server, name };
        restrict(&mut connection, &database.name, template).await?;
        connection.close().await?;
        Ok(database)
    }

    /// Returns how to connect as the owner, who bypasses row-level security: for arranging and looking, not for acting.
    #[must_use]
    pub fn owner_options(&self) -> PgConnectOptions {
        self.server.owner_options(&self.name)
    }

    /// Returns how to connect as [`LOGIN`], as the processes do.
    #[must_use]
    pub fn login_options(&self) -> PgConnectOptions {
        self.server.options(LOGIN, None, &self.name)
    }

    /// Returns the owner's address.
    #[must_use]
    pub fn owner_url(&self) -> String {
        self.server.owner_url(&self.name)
    }

    /// Returns the address for [`LOGIN`].
    #[must_use]
    pub fn login_url(&self) -> String {
        self.server.url(LOGIN, None, &self.name)
    }

    /// Returns the name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        sweeper::discard(self.server, std::mem::take(&mut self.name));
    }
}

/// Starts the server of this process; its watchdog removes it when the process ends.
async fn start() -> Result<Postgres, Error> {
    let name = format!("permanence-test-{}-{}", std::process::id(), &random_hex()?[..8]);
    let data = std::env::temp_dir().join(name);
    Postgres::start(Options { data, port: None, durability: Durability::Throwaway }).await
}

fn template_of(migrator: &'static Migrator) -> Arc<OnceCell<String>> {
    let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
    templates.entry(std::ptr::from_ref(migrator).addr()).or_default().clone()
}

fn next_name(kind: &str) -> String {
    format!("{kind}_{}", COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Makes a template: a migrated database and the login role with its grants.
async fn migrate(server: &Postgres, migrator: &Migrator) -> Result<String, Error> {
    let name = next_name("template");
    server.ensure_database(&name).await?;
    let mut connection = server.connect(&name).await?;
    // `run` makes a future that no compiler knows to be `Send`; this is what it calls.
    migrator.run_direct(None, &mut connection, false).await?;
    grant_login(&mut connection).await?;
    // A copy needs a template without sessions.
    connection.close().await?;
    Ok(name)
}

/// Makes the login role and grants it what the migrations made for it to take.
async fn grant_login(connection: &mut PgConnection) -> Result<(), Error> {
    // Two templates of one process may come here at once; roles belong to the whole server.
    run(connection, "SELECT pg_advisory_lock(7302194)".to_owned()).await?;
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT rolname::text FROM pg_roles").fetch_all(&mut *connection).await?;
    if !roles.iter().any(|role| role == LOGIN) {
        run(connection, format!("CREATE ROLE {LOGIN} LOGIN NOINHERIT")).await?;
    }
    for role in TAKEN.into_iter().filter(|role| roles.iter().any(|found| found == role)) {
        run(connection, format!("GRANT {role} TO {LOGIN}")).await?;
    }
    run(connection, "SELECT pg_advisory_unlock(7302194)".to_owned()).await
}

/// Repeats for a copy what a template does not pass on: who may connect, and what the migrations granted on it.
async fn restrict(connection: &mut PgConnection, database: &str, template: &str) -> Result<(), Error> {
    let granted: Vec<String> = sqlx::query_scalar(
        "SELECT format('GRANT %s ON DATABASE %I TO %I', acl.privilege_type, $1, r.rolname)
         FROM pg_database d, aclexplode(d.datacl) acl JOIN pg_roles r ON r.oid = acl.grantee
         WHERE d.datname = $2",
    )
    .bind(database)
    .bind(template)
    .fetch_all(&mut *connection)
    .await?;
    let database = quote(database);
    run(
        connection,
        format!(
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC; GRANT CONNECT ON DATABASE {database} TO {LOGIN}; {}",
            granted.join("; ")
        ),
    )
    .await
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<(), Error> {
    connection.execute(AssertSqlSafe(sql)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send<T: Send>(_: &T) {}

    #[test]
    fn tests_may_create_databases_in_spawned_tasks() {
        static NONE: Migrator = Migrator::DEFAULT;
        assert_send(&TestDatabase::create(&NONE));
    }
}
