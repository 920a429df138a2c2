//! A migrated database, an object store, the API on a port and pools of workers: as a platform has them, in one process.

use std::{
    convert::Infallible,
    future::pending,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use permanence_api::{App, config::ApiConfig, router, serve};
use permanence_domain::{
    clock::{SharedClock, SystemClock},
    config::{Env, Secret, StorageConfig},
    crypto::hash_password,
    db::{Actor, Db},
    field::{EmailAddress, FullName},
    figures::request_all,
    identity::{Role, add_member},
    ids::TenantId,
    migrate::migrate,
    privacy::Signer,
    storage::Storage,
    vault::{LocalMaster, Vault},
};
use permanence_embedded::{
    bench::{BenchDatabase, BenchServer},
    storage::ObjectStore,
};
use permanence_queue::{Listener, Waker, maintain};
use permanence_workers::{
    process::{Pool, QUEUES, job_connections, perform},
    registry::Registry,
    services::Services,
};
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const BUCKET: &str = "permanence";
const PASSWORD: &str = "Bonjour1!";

pub(crate) struct Platform {
    database: BenchDatabase,
    pub(crate) login: PgConnectOptions,
    pub(crate) db: Db,
    pub(crate) owner_options: PgConnectOptions,
    pub(crate) owner: PgPool,
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) storage: Storage,
    shutdown: CancellationToken,
    _objects: ObjectStore,
    _folder: tempfile::TempDir,
}

impl Platform {
    /// With a process' workers for each pool that is named; named twice, it has two.
    #[expect(clippy::too_many_lines, reason = "a list of what a platform is made of")]
    pub(crate) async fn start(server: &BenchServer, pools: &[&str]) -> Self {
        let database = server.database().await.unwrap();
        let login_url = server.url("permanence_login", "bench", &database);
        migrate(&database.owner, &Secret::new(login_url.as_str())).await.unwrap();
        let owner_options = database.owner.clone();
        let owner = PgPool::connect_with(owner_options.clone()).await.unwrap();
        maintain(&mut owner.acquire().await.unwrap(), &SystemClock).await.unwrap();
        let login: PgConnectOptions = login_url.parse().unwrap();
        let clock: SharedClock = Arc::new(SystemClock);
        let db = Db::new(login.clone(), 20, clock.clone(), Waker::start(login.clone()));
        let shutdown = CancellationToken::new();
        let folder = tempfile::tempdir().unwrap();
        let objects = ObjectStore::start(folder.path(), LOCAL).await.unwrap();
        objects.ensure_bucket(BUCKET).unwrap();
        let storage = StorageConfig {
            endpoint: objects.endpoint().parse().unwrap(),
            region: "us-east-1".to_owned(),
            bucket: BUCKET.to_owned(),
            access_key: objects.access_key().to_owned(),
            secret_key: Secret::new(objects.secret_key()),
        };
        for queue in pools.iter().flat_map(|pool| QUEUES.iter().filter(move |queue| queue.pool == *pool)) {
            // Connections of its own, as a process has them.
            let db = Db::new(login.clone(), 10, clock.clone(), Waker::start(login.clone()));
            let pool = Pool {
                queue: queue.name,
                jobs: job_connections(login.clone()),
                concurrency: queue.concurrency(8),
                clock: clock.clone(),
                waker: db.waker().clone(),
                listener: Listener::start(login.clone()),
                shutdown: shutdown.clone(),
            };
            let services = Services {
                db: db.clone(),
                messaging: None,
                storage: Some(Storage::new(&storage)),
                anchors: None,
                backups: Some(Storage::new(&storage)),
                backup: None,
                vault: LocalMaster::parse(&master_keys()).map(Vault::new),
                signer: Signer::of(&Secret::new("0d".repeat(32))),
            };
            tokio::spawn(perform(pool, Registry::new(services)));
        }
        let base = serve_api(&db, &login_url, &objects).await;
        // Plain HTTP here, but the client wants a TLS provider to be named; a second naming changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            database,
            login,
            db,
            owner_options,
            owner,
            storage: Storage::new(&storage),
            http,
            base,
            shutdown,
            _objects: objects,
            _folder: folder,
        }
    }

    pub(crate) async fn settle(&self) {
        self.database.settle().await.unwrap();
    }

    /// Makes an administrator of each practice and signs them in.
    pub(crate) async fn sign_in(&self) -> Vec<String> {
        let hash = hash_password(Secret::new(PASSWORD)).await.unwrap();
        let tenants: Vec<TenantId> =
            sqlx::query_scalar("SELECT id FROM tenants WHERE kind = 'practice' ORDER BY name")
                .fetch_all(&self.owner)
                .await
                .unwrap();
        let mut tokens = Vec::new();
        for (number, tenant) in tenants.into_iter().enumerate() {
            let email = format!("admin@practice{number}.example");
            let mut tx = self.db.system(Actor::JOB).await.unwrap();
            let (address, name) =
                (EmailAddress::parse(&email).unwrap(), FullName::parse("Camille Roy").unwrap());
            add_member(&mut tx, tenant, &address, &name, Role::Admin, &hash).await.unwrap();
            tx.commit().await.unwrap();
            let url = format!("{}/api/v1/auth/login", self.base);
            let body = json!({ "email": email, "password": PASSWORD });
            let answer = self.http.post(url).json(&body).send().await.unwrap().error_for_status().unwrap();
            let answer: Value = answer.json().await.unwrap();
            tokens.push(answer["access_token"].as_str().unwrap().to_owned());
        }
        tokens
    }

    /// Has both views refreshed by jobs; gives how long that took, from the commit to the end of the last.
    pub(crate) async fn refresh_all(&self) -> Duration {
        self.until_refreshed().await;
        let mut tx = self.db.system(Actor::JOB).await.unwrap();
        request_all(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let begun = Instant::now();
        self.until_refreshed().await;
        begun.elapsed()
    }

    pub(crate) async fn refresh_for_ever(&self) -> Infallible {
        loop {
            self.refresh_all().await;
        }
    }

    /// Waits until nobody waits for a refresh.
    pub(crate) async fn until_refreshed(&self) {
        let left = "SELECT count(*) FROM queue.jobs WHERE queue = 'views'";
        while sqlx::query_scalar::<_, i64>(left).fetch_one(&self.owner).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The last refresh of each view: how long it took, seconds, and how many rows the view has.
    pub(crate) async fn last_refreshes(&self) -> Vec<(String, f64, i64)> {
        sqlx::query_as(
            "SELECT DISTINCT ON (view) view, extract(epoch FROM ended_at - started_at)::float8, rows
             FROM view_refreshes WHERE rows IS NOT NULL ORDER BY view, id DESC",
        )
        .fetch_all(&self.owner)
        .await
        .unwrap()
    }

    /// From now on the readers' functions reckon the figures anew, by the views' own queries and as the tenant who asks: row-level
    /// security limits what they read.
    pub(crate) async fn reckon_live(&self) {
        self.until_refreshed().await;
        let definitions: Vec<(String, String)> =
            sqlx::query_as("SELECT matviewname::text, definition FROM pg_matviews")
                .fetch_all(&self.owner)
                .await
                .unwrap();
        for (view, definition) in definitions {
            let statement = format!(
                "CREATE VIEW live_{view} WITH (security_invoker = true) AS {definition};
                 GRANT SELECT ON live_{view} TO permanence_tenant;"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&self.owner).await.unwrap();
        }
        sqlx::raw_sql(
            "CREATE OR REPLACE FUNCTION practice_days_between(first date, last date)
                 RETURNS TABLE (day date, appointments bigint, no_shows bigint, cancelled bigint, new_patients bigint,
                                invoiced bigint, collected bigint)
                 LANGUAGE sql STABLE SECURITY INVOKER
             BEGIN ATOMIC
                 SELECT d.day, d.appointments, d.no_shows, d.cancelled, d.new_patients, d.invoiced, d.collected
                 FROM live_practice_days d WHERE d.tenant_id = current_tenant() AND d.day BETWEEN first AND last;
             END;
             CREATE OR REPLACE FUNCTION practice_open_items() RETURNS TABLE (kind text, day date, items bigint, amount bigint)
                 LANGUAGE sql STABLE SECURITY INVOKER
             BEGIN ATOMIC
                 SELECT o.kind, o.day, o.items, o.amount FROM live_practice_open o WHERE o.tenant_id = current_tenant();
             END;",
        )
        .execute(&self.owner)
        .await
        .unwrap();
    }

    pub(crate) async fn stop(self, server: &BenchServer) {
        self.shutdown.cancel();
        self.db.close().await;
        self.owner.close().await;
        server.discard(self.database).await.unwrap();
    }
}

fn master_keys() -> String {
    format!("bench:{}", "0e".repeat(32))
}

/// The API on a port of its own.
async fn serve_api(db: &Db, login_url: &str, objects: &ObjectStore) -> String {
    let variables = [
        ("DATABASE_URL", login_url.to_owned()),
        ("S3_ENDPOINT", objects.endpoint()),
        ("S3_BUCKET", BUCKET.to_owned()),
        ("S3_ACCESS_KEY", objects.access_key().to_owned()),
        ("S3_SECRET_KEY", objects.secret_key().to_owned()),
        ("JWT_ACCESS_KEYS", format!("bench:{}", "a".repeat(32))),
        ("JWT_REFRESH_KEY", "r".repeat(32)),
        ("ENCRYPTION_KEY", "0f".repeat(32)),
        ("MASTER_KEYS", master_keys()),
    ];
    let config =
        ApiConfig::from_env(Env::of(variables.map(|(name, value)| (name.to_owned(), value)))).unwrap();
    let app = App::new(&config, db.clone(), None).unwrap();
    let listener = tokio::net::TcpListener::bind(LOCAL).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, router(app), pending()));
    base
}
