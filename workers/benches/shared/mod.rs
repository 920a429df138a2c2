//! What benchmarks of a pool stand on: a migrated database, an object store, a practice, and the pool's real process with what
//! the kernel tells of it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use permanence_domain::{
    clock::SystemClock,
    config::{Secret, StorageConfig},
    db::{Actor, Db, TenantTx},
    field::{Label, Language},
    identity::{NewTenant, create_tenant},
    ids::TenantId,
    migrate::migrate,
    storage::Storage,
};
use permanence_embedded::{
    bench::{BenchDatabase, BenchServer},
    storage::ObjectStore,
};
use permanence_queue::Waker;
use sqlx::{PgPool, postgres::PgConnectOptions};

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// The keys of a benchmark's platform; pools that have none do not read it.
pub(crate) const MASTER_KEYS: &str = "bench:0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e";
const BUCKET: &str = "permanence";
/// Ticks of a processor's time in a second, as Linux counts them in /proc.
const TICKS: f64 = 100.0;

pub(crate) struct Platform {
    server: BenchServer,
    pub(crate) database: BenchDatabase,
    pub(crate) owner: PgPool,
    login_url: String,
    pub(crate) db: Db,
    pub(crate) objects: ObjectStore,
    pub(crate) tenant: TenantId,
    _folder: tempfile::TempDir,
}

impl Platform {
    /// An empty practice on a server of the benchmark's own.
    pub(crate) async fn start(name: &str) -> Self {
        let server = BenchServer::start(name).await.unwrap();
        let database = server.database().await.unwrap();
        let login_url = server.url("permanence_login", "bench", &database);
        migrate(&database.owner, &Secret::new(login_url.as_str())).await.unwrap();
        let owner = PgPool::connect_with(database.owner.clone()).await.unwrap();
        let options: PgConnectOptions = login_url.parse().unwrap();
        let db = Db::new(options.clone(), 4, Arc::new(SystemClock), Waker::start(options));
        let folder = tempfile::tempdir().unwrap();
        let objects = ObjectStore::start(folder.path(), LOCAL).await.unwrap();
        objects.ensure_bucket(BUCKET).unwrap();
        let new = NewTenant {
            kind: "practice",
            name: Label::parse("Cabinet des Lilas").unwrap(),
            time_zone: chrono_tz::Tz::Europe__Paris,
            language: Language::Fr,
            phone: None,
            address: None,
        };
        let mut tx = db.system(Actor::JOB).await.unwrap();
        let tenant = create_tenant(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        Self { server, database, owner, login_url, db, objects, tenant, _folder: folder }
    }

    pub(crate) async fn version(&self) -> String {
        self.server.version().await.unwrap()
    }

    pub(crate) async fn begin(&self) -> TenantTx {
        self.db.tenant(self.tenant, Actor::JOB).await.unwrap()
    }

    pub(crate) fn storage(&self) -> Storage {
        Storage::new(&StorageConfig {
            endpoint: self.objects.endpoint().parse().unwrap(),
            region: "us-east-1".to_owned(),
            bucket: BUCKET.to_owned(),
            access_key: self.objects.access_key().to_owned(),
            secret_key: Secret::new(self.objects.secret_key()),
        })
    }

    /// Starts a pool's program as an operator would, with arguments before it where it is to be bound to a core.
    pub(crate) fn process(&self, command: &[&str]) -> Process {
        let process = Command::new(command[0])
            .args(&command[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DATABASE_URL", &self.login_url)
            .env("S3_ENDPOINT", self.objects.endpoint())
            .env("S3_BUCKET", BUCKET)
            .env("S3_ACCESS_KEY", self.objects.access_key())
            .env("S3_SECRET_KEY", self.objects.secret_key())
            .env("MASTER_KEYS", MASTER_KEYS)
            .env("CERTIFICATE_KEY", "0d".repeat(32))
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Process(process)
    }

    pub(crate) async fn stop(self) {
        self.db.close().await;
        self.owner.close().await;
        self.server.stop().await.unwrap();
    }
}

/// A pool's process.
pub(crate) struct Process(Child);

impl Process {
    /// The most memory that it has held, MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.status("VmHWM:")
    }

    /// The memory that it holds, MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// The processor's time that it has taken, seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: f64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum();
        ticks / TICKS
    }

    pub(crate) fn stop(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
