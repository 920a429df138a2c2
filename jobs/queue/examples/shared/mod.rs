//! What every example needs: a migrated database, a worker in the background, and an end to wait for.

use std::time::Duration;

use permanence_embedded::testing::TestDatabase;
use permanence_queue::{Error, Handler, Worker, connect_options};
use sqlx::{PgPool, migrate::Migrator, postgres::PgPoolOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

pub(crate) struct Database {
    /// Connected in the queue's role.
    pub(crate) pool: PgPool,
    _dropped_at_the_end: TestDatabase,
}

impl Database {
    pub(crate) async fn start() -> Result<Self> {
        let database = TestDatabase::create(&MIGRATOR).await;
        let options = connect_options(database.login_options());
        let pool = PgPoolOptions::new().max_connections(5).connect_with(options).await?;
        Ok(Self { pool, _dropped_at_the_end: database })
    }

    /// Performs the jobs of the queue `default` in the background.
    pub(crate) fn work(&self, handler: impl Handler) -> Working {
        let shutdown = CancellationToken::new();
        let worker = Worker::builder(self.pool.clone(), "default")
            .poll(Duration::from_millis(5), Duration::from_millis(50))
            .heartbeat(Duration::from_millis(200), Duration::from_secs(5));
        Working { task: tokio::spawn(worker.run(handler, shutdown.clone())), shutdown }
    }

    /// Waits until a query answers a number.
    pub(crate) async fn until(&self, sql: &'static str, expected: i64) -> Result {
        let reached = async {
            while sqlx::query_scalar::<_, i64>(sql).fetch_one(&self.pool).await? != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok::<_, sqlx::Error>(())
        };
        tokio::time::timeout(Duration::from_secs(20), reached).await??;
        Ok(())
    }

    /// Waits until no job is left to do.
    pub(crate) async fn until_empty(&self) -> Result {
        self.until("SELECT count(*) FROM queue.jobs", 0).await
    }
}

pub(crate) struct Working {
    shutdown: CancellationToken,
    task: JoinHandle<std::result::Result<(), Error>>,
}

impl Working {
    /// Drains the worker, as SIGTERM does.
    pub(crate) async fn stop(self) -> Result {
        self.shutdown.cancel();
        self.task.await??;
        Ok(())
    }
}
