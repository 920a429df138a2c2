//! A database per test, a job to enqueue, and workers that stop with their test.

use std::{future::Future, time::Duration};

use permanence_embedded::testing::TestDatabase;
use permanence_queue::{
    Error, Handler, Job, JobId, NewJob, Worker, WorkerBuilder, clock::SystemClock, enqueue,
};
use serde::{Deserialize, Serialize};
use sqlx::{
    ConnectOptions, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a condition may take to become true; only a broken test takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// A migrated database of the test's own.
pub(crate) struct TestDb {
    /// In the queue's role, as a worker connects.
    pub(crate) pool: PgPool,
    /// As the login role, which may take the others.
    pub(crate) login: PgConnectOptions,
    /// Dropped with the test.
    pub(crate) database: TestDatabase,
}

pub(crate) async fn database() -> TestDb {
    let database = TestDatabase::create(&MIGRATOR).await;
    let login = database.login_options();
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .connect_with(permanence_queue::connect_options(login.clone()))
        .await
        .unwrap();
    TestDb { pool, login, database }
}

impl TestDb {
    /// As the owner, who bypasses row-level security: for arranging and looking.
    pub(crate) fn owner(&self) -> PgPool {
        PgPool::connect_lazy_with(self.database.owner_options())
    }

    /// A connection that sees one tenant's rows.
    pub(crate) async fn as_tenant(&self, tenant: Uuid) -> PgConnection {
        as_tenant(&self.login, tenant).await
    }

    /// Enqueues a job that is due now.
    pub(crate) async fn enqueue(&self, n: i64) -> JobId {
        self.enqueue_job(NewJob::of(&Count { n }).unwrap()).await.unwrap()
    }

    pub(crate) async fn enqueue_job(&self, job: NewJob) -> Result<JobId, Error> {
        let mut conn = self.pool.acquire().await.unwrap();
        Ok(enqueue(&mut conn, &SystemClock, job).await?.id)
    }

    /// The job's state, live or ended.
    pub(crate) async fn state(&self, id: JobId) -> String {
        sqlx::query_scalar(
            "SELECT state::text FROM queue.jobs WHERE id = $1
             UNION ALL SELECT state::text FROM queue.job_history WHERE id = $1",
        )
        .bind(id.0)
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    pub(crate) async fn wait_for_state(&self, id: JobId, state: &str) {
        eventually(&format!("job {} is {state}", id.0), async || self.state(id).await == state).await;
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// A worker tuned for a test's patience.
    pub(crate) fn worker(&self) -> WorkerBuilder {
        Worker::builder(self.pool.clone(), Count::QUEUE)
            .heartbeat(Duration::from_millis(40), Duration::from_millis(400))
            .poll(Duration::from_millis(5), Duration::from_millis(20))
            .grace(Duration::from_secs(5))
    }
}

/// A connection that sees one tenant's rows.
pub(crate) async fn as_tenant(login: &PgConnectOptions, tenant: Uuid) -> PgConnection {
    let tenant = tenant.to_string();
    let options = [("role", "permanence_tenant"), ("permanence.tenant_id", tenant.as_str())];
    login.clone().options(options).connect().await.unwrap()
}

/// Waits until the condition holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never came true: {what}"));
}

/// The job of these tests.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) n: i64,
}

impl Job for Count {
    const KIND: &'static str = "test.count";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(30);
    const MAX_ATTEMPTS: i16 = 3;
}

/// A worker that runs in the background.
pub(crate) struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) fn start(worker: WorkerBuilder, handler: impl Handler) -> Self {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(worker.run(handler, shutdown.clone()));
        Self { shutdown, task }
    }

    /// Drains it, as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }

    /// Starts draining.
    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Stops it dead, as SIGKILL does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Asserts an error by its variant.
#[macro_export]
macro_rules! assert_err {
    ($result:expr, $pattern:pat) => {
        match $result {
            Err($pattern) => {}
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}

pub(crate) fn tenant(n: u128) -> Uuid {
    Uuid::from_u128(0xA000 + n)
}
