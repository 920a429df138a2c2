//! A durable Postgres of the benchmark's own, and a fresh database for each part.

use std::time::Duration;

use permanence_embedded::bench::{BenchDatabase, BenchServer};
use permanence_queue::{Job, NewJob, clock::SystemClock, connect_options, enqueue_all, maintain};
use serde::{Deserialize, Serialize};
use sqlx::{
    Connection, PgPool,
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

pub(crate) struct Server(BenchServer);

pub(crate) struct Database {
    inner: BenchDatabase,
    /// Its owner's address.
    pub(crate) url: String,
    pub(crate) owner: PgConnectOptions,
    pub(crate) pool: PgPool,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self(BenchServer::start("queue").await.unwrap())
    }

    pub(crate) async fn version(&self) -> String {
        self.0.version().await.unwrap()
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
        let inner = self.0.database().await.unwrap();
        let (url, owner) = (inner.owner_url.clone(), inner.owner.clone());
        let pool = PgPoolOptions::new().max_connections(20).connect_lazy_with(owner.clone());
        Database { inner, url, owner, pool }
    }

    /// Drops a database, so that autovacuum does not clean it while the next one is measured.
    pub(crate) async fn discard(&self, db: Database) {
        db.pool.close().await;
        self.0.discard(db.inner).await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.0.stop().await.unwrap();
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

    /// Leaves the tables as autovacuum would.
    pub(crate) async fn settle(&self) {
        self.inner.settle().await.unwrap();
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
