//! A durable Postgres for a benchmark, given what any server of its size is given, and a database for each part.
//! It never trades durability for speed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::Error;
use crate::postgres::{self, Durability, Options, Postgres, quote};

/// Settings of a server with these resources; `fsync` and `synchronous_commit` stay on.
const SETTINGS: [&str; 5] = [
    "shared_buffers = '1GB'",
    "max_wal_size = '4GB'",
    "checkpoint_timeout = '15min'",
    "random_page_cost = 1.1",
    "shared_preload_libraries = 'pg_stat_statements'",
];

/// The server of one benchmark; [`BenchServer::stop`] removes it.
#[derive(Debug)]
pub struct BenchServer {
    postgres: Postgres,
    data: PathBuf,
    next: AtomicU32,
}

/// An empty database of a [`BenchServer`].
#[derive(Debug, Clone)]
pub struct BenchDatabase {
    /// Its name.
    pub name: String,
    /// Its owner's address.
    pub owner_url: String,
    /// How to connect as its owner.
    pub owner: PgConnectOptions,
}

impl BenchServer {
    /// Starts a server for the benchmark of this name.
    pub async fn start(name: &str) -> Result<Self, Error> {
        let data = std::env::temp_dir().join(format!("permanence-{name}-bench-{}", std::process::id()));
        let options = Options { data: data.clone(), port: None, durability: Durability::Durable };
        let server = Self { postgres: Postgres::start(options).await?, data, next: AtomicU32::new(0) };
        let mut connection = server.postgres.connect("postgres").await?;
        for setting in SETTINGS {
            connection.execute(AssertSqlSafe(format!("ALTER SYSTEM SET {setting}"))).await?;
        }
        connection.close().await?;
        server.postgres.restart().await?;
        Ok(server)
    }

    /// Says which Postgres it is.
    pub async fn version(&self) -> Result<String, Error> {
        let mut connection = self.postgres.connect("postgres").await?;
        Ok(sqlx::query_scalar("SELECT 'PostgreSQL ' || current_setting('server_version')")
            .fetch_one(&mut connection)
            .await?)
    }

    /// Makes an empty database.
    pub async fn database(&self) -> Result<BenchDatabase, Error> {
        let name = format!("bench_{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.postgres.ensure_database(&name).await?;
        let (owner_url, owner) = (self.postgres.owner_url(&name), self.postgres.owner_options(&name));
        Ok(BenchDatabase { name, owner_url, owner })
    }

    /// Returns the address of a database for another role.
    #[must_use]
    pub fn url(&self, role: &str, password: &str, database: &BenchDatabase) -> String {
        self.postgres.url(role, Some(password), &database.name)
    }

    /// Returns where the server writes its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.postgres.log()
    }

    /// Drops a database, so that autovacuum does not clean it while the next one is measured.
    pub async fn discard(&self, database: BenchDatabase) -> Result<(), Error> {
        let mut connection = self.postgres.connect("postgres").await?;
        let drop = format!("DROP DATABASE {} WITH (FORCE)", quote(&database.name));
        connection.execute(AssertSqlSafe(drop)).await?;
        Ok(())
    }

    /// Stops the server and removes its data.
    pub async fn stop(self) -> Result<(), Error> {
        self.postgres.stop().await?;
        postgres::remove(self.data).await
    }
}

impl BenchDatabase {
    /// Leaves the tables as autovacuum would, and nothing to be written later for what was done before.
    pub async fn settle(&self) -> Result<(), Error> {
        let mut owner = PgConnection::connect_with(&self.owner).await?;
        owner.execute("VACUUM (ANALYZE)").await?;
        owner.execute("CHECKPOINT").await?;
        Ok(())
    }
}
