//! A durable Postgres of the benchmark's own, and a fresh database for each part.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use permanence_embedded::postgres::{Durability, Options, Postgres};
use permanence_queue::{Job, NewJob, clock::SystemClock, connect_options, enqueue_all, maintain};
use serde::{Deserialize, Serialize};
use sqlx::{
    AssertSqlSafe, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::MIGRATOR;

/// The job that does nothing.
#[derive(Serialize, Deserialize)]
pub(crate) struct Noop {
    pub(crate) n: usize,
}

impl Job for Noop {
    const KIND: &'static str = "bench.noop";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(30);
}

pub(crate) struct Server {
    postgres: Postgres,
    data: std::path::PathBuf,
}

pub(crate) struct Database {
    name: String,
    /// Its owner's address.
    pub(crate) url: String,
    pub(crate) owner: PgConnectOptions,
    pub(crate) pool: PgPool,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let data = std::env::temp_dir().join(format!("permanence-queue-bench-{}", std::process::id()));
        let options = Options { data: data.clone(), port: None, durability: Durability::Durable };
        let postgres = Postgres::start(options).await.unwrap();
        let server = Self { postgres, data };
        // What any server of this size is given; durability stays as it is.
        for setting in [
            "shared_buffers = '1GB'",
            "max_wal_size = '4GB'",
            "checkpoint_timeout = '15min'",
            "shared_preload_libraries = 'pg_stat_statements'",
        ] {
            server.execute("postgres", &format!("ALTER SYSTEM SET {setting}")).await;
        }
        server.postgres.restart().await.unwrap();
        server
    }

    pub(crate) async fn version(&self) -> String {
        let mut conn =
            sqlx::PgConnection::connect_with(&self.postgres.owner_options("postgres")).await.unwrap();
        sqlx::query_scalar("SELECT 'PostgreSQL ' || current_setting('server_version')")
            .fetch_one(&mut conn)
            .await
            .unwrap()
    }

    /// A database with the queue's tables, and a pool in the queue's role.
    pub(crate) async fn database(&self) -> Database {
        let db = self.empty().await;
        let mut conn = sqlx::PgConnection::connect_with(&db.owner).await.unwrap();
        MIGRATOR.run_direct(None, &mut conn, false).await.unwrap();
        maintain(&mut conn, &SystemClock).await.unwrap();
        let options = PgPoolOptions::new().max_connections(8);
        let pool = options.connect_with(connect_options(db.owner.clone())).await.unwrap();
        Database { pool, ..db }
    }

    /// A database with nothing in it, and its owner's pool.
    pub(crate) async fn empty(&self) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.postgres.ensure_database(&name).await.unwrap();
        let owner = self.postgres.owner_options(&name);
        let pool = PgPoolOptions::new().max_connections(20).connect_lazy_with(owner.clone());
        Database { url: self.postgres.owner_url(&name), name, owner, pool }
    }

    /// Drops a database, so that autovacuum does not clean it while the next one is measured.
    pub(crate) async fn discard(&self, db: Database) {
        db.pool.close().await;
        self.execute("postgres", &format!("DROP DATABASE {} WITH (FORCE)", db.name)).await;
    }

    async fn execute(&self, database: &str, sql: &str) {
        let mut conn =
            sqlx::PgConnection::connect_with(&self.postgres.owner_options(database)).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.postgres.stop().await.unwrap();
        permanence_embedded::postgres::remove(self.data).await.unwrap();
    }
}

impl Database {
    /// Enqueues no-op jobs, ten thousand at a time, and settles them.
    pub(crate) async fn fill(&self, jobs: usize) {
        let mut conn = self.pool.acquire().await.unwrap();
        for start in (0..jobs).step_by(10_000) {
            let batch = (start..jobs.min(start + 10_000)).map(|n| NewJob::of(&Noop { n }).unwrap()).collect();
            enqueue_all(&mut conn, &SystemClock, batch).await.unwrap();
        }
        self.settle().await;
    }

    /// Leaves the tables as autovacuum would, and nothing to be written later for what was done before.
    pub(crate) async fn settle(&self) {
        let mut owner = sqlx::PgConnection::connect_with(&self.owner).await.unwrap();
        sqlx::raw_sql("VACUUM (ANALYZE)").execute(&mut owner).await.unwrap();
        sqlx::raw_sql("CHECKPOINT").execute(&mut owner).await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }
}

/// Rounds to whole numbers of jobs a second.
pub(crate) fn per_second(jobs: usize, time: Duration) -> u64 {
    let per_second = f64::from(u32::try_from(jobs).unwrap_or(u32::MAX)) / time.as_secs_f64();
    format!("{per_second:.0}").parse().unwrap()
}
