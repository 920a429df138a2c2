//! A database per test, a job to enqueue, and workers that stop with their test.

use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use permanence_queue::{
    Error, Handler, Job, JobId, NewJob, Worker, WorkerBuilder, clock::SystemClock, enqueue,
};
use serde::{Deserialize, Serialize};
use sqlx::{
    AssertSqlSafe, ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a condition may take to become true; only a broken test takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A migrated database of the test's own.
pub(crate) struct TestDb {
    /// In the queue's role, as a worker connects.
    pub(crate) pool: PgPool,
    /// As the login role, which may take the others.
    pub(crate) login: PgConnectOptions,
    /// The server's own database, for its statistics.
    pub(crate) server: PgPool,
}

/// Makes a database on the server of `PERMANENCE_TEST_SERVER`.
pub(crate) async fn database() -> TestDb {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("PERMANENCE_TEST_SERVER")
        .unwrap_or_else(|_| "postgres://postgres@localhost:55501/postgres".to_owned());
    let admin: PgConnectOptions = server.parse().unwrap();
    let name = format!("queue_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let server = PgPool::connect_lazy_with(admin.clone());
    let mut conn = server.acquire().await.unwrap();
    for (role, rights) in [("permanence_owner", "LOGIN CREATEROLE"), ("permanence_login", "LOGIN NOINHERIT")]
    {
        // Roles belong to the server, and another test may make them at this moment.
        let _ =
            sqlx::raw_sql(AssertSqlSafe(format!("CREATE ROLE {role} {rights}"))).execute(&mut *conn).await;
    }
    let create = format!("CREATE DATABASE {name} OWNER permanence_owner");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *conn).await.unwrap();
    let admin = admin.database(&name);
    let mut owner = admin.clone().username("permanence_owner").connect().await.unwrap();
    sqlx::migrate!("../../migrations").run(&mut owner).await.unwrap();
    let grant = format!(
        "GRANT CONNECT ON DATABASE {name} TO permanence_login;
         GRANT permanence_queue, permanence_system, permanence_tenant TO permanence_login"
    );
    let _ = sqlx::raw_sql(AssertSqlSafe(grant)).execute(&mut admin.connect().await.unwrap()).await;
    let login = admin.username("permanence_login");
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .connect_with(permanence_queue::connect_options(login.clone()))
        .await
        .unwrap();
    drop(conn);
    TestDb { pool, login, server }
}

impl TestDb {
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
