//! What an import costs by the pool's real process, how much memory it takes, and what a page of the stock costs afterwards.
//! Run it with `cargo bench --workspace --bench stock`; `LINES=1000000` makes the file longer.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Child, Command},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono_tz::Tz;
use permanence_domain::{
    clock::SystemClock,
    config::{Secret, StorageConfig},
    db::{Actor, Db},
    field::{Flag, Label, Language},
    identity::{NewTenant, create_tenant},
    ids::{ImportId, TenantId},
    inventory::{
        OverviewQuery,
        import::{Import, ImportMode, ImportOptions, ImportStatus, Mapping, get_import, request_import},
        overview, watch,
    },
    migrate::migrate,
    storage::{ObjectKey, Storage},
};
use permanence_embedded::{bench::BenchServer, storage::ObjectStore};
use permanence_queue::Waker;

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

struct Platform {
    login_url: String,
    db: Db,
    objects: ObjectStore,
    storage: Storage,
    tenant: TenantId,
}

impl Platform {
    async fn begin(&self) -> permanence_domain::db::TenantTx {
        self.db.tenant(self.tenant, Actor::JOB).await.unwrap()
    }

    fn worker(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_stock"))
            .env_clear()
            .env("DATABASE_URL", &self.login_url)
            .env("S3_ENDPOINT", self.objects.endpoint())
            .env("S3_BUCKET", "permanence")
            .env("S3_ACCESS_KEY", self.objects.access_key())
            .env("S3_SECRET_KEY", self.objects.secret_key())
            .env("RUST_LOG", "warn")
            .spawn()
            .unwrap()
    }
}

async fn platform(server: &BenchServer, folder: &std::path::Path) -> Platform {
    let database = server.database().await.unwrap();
    let login_url = server.url("permanence_login", "bench", &database);
    migrate(&database.owner, &Secret::new(login_url.as_str())).await.unwrap();
    let options: sqlx::postgres::PgConnectOptions = login_url.parse().unwrap();
    let db = Db::new(options.clone(), 4, Arc::new(SystemClock), Waker::start(options));
    let objects = ObjectStore::start(folder, LOCAL).await.unwrap();
    objects.ensure_bucket("permanence").unwrap();
    let storage = Storage::new(&StorageConfig {
        endpoint: objects.endpoint().parse().unwrap(),
        region: "us-east-1".to_owned(),
        bucket: "permanence".to_owned(),
        access_key: objects.access_key().to_owned(),
        secret_key: Secret::new(objects.secret_key()),
    });
    let mut tx = db.system(Actor::JOB).await.unwrap();
    let new = NewTenant {
        kind: "practice",
        name: Label::parse("Cabinet des Lilas").unwrap(),
        time_zone: Tz::Europe__Paris,
        language: Language::Fr,
        phone: None,
        address: None,
    };
    let tenant = create_tenant(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    Platform { login_url, db, objects, storage, tenant }
}

/// Lines of nine columns; each fifth has a lot.
fn file(lines: usize) -> Vec<u8> {
    let mut file = String::from(
        "Référence;Désignation;Quantité;Unité;Prix;Fournisseur;Seuil;Lot;Date de péremption\r\n",
    );
    for number in 0..lines {
        let lot = if number.is_multiple_of(5) { "L-2291;31/12/2027" } else { ";" };
        write!(
            file,
            "REF-{number:07};Compresses stériles n° {number};{},5;boîte;12,{:02};Médistore;10;{lot}\r\n",
            number % 100,
            number % 100
        )
        .unwrap();
    }
    file.into_bytes()
}

async fn import(platform: &Platform, file: &[u8], mode: ImportMode, dry_run: bool) -> (Import, Duration) {
    let object = ObjectKey::of("imports", platform.tenant, &format!("{}.csv", uuid::Uuid::new_v4())).unwrap();
    platform.storage.put(&object, "text/csv", file.to_vec()).await.unwrap();
    let dry_run = Flag::parse(&dry_run.to_string()).unwrap();
    let options = ImportOptions { mode, dry_run, mapping: Mapping::default() };
    let mut tx = platform.begin().await;
    let id: ImportId = request_import(&mut tx, &options, &object, 0).await.unwrap().id;
    let begun = Instant::now();
    tx.commit().await.unwrap();
    loop {
        let mut tx = platform.begin().await;
        let import = get_import(&mut tx, id).await.unwrap();
        if import.status != ImportStatus::Waiting {
            return (import, begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How long a process has been computing; where the system tells, in its usual hundredths of a second.
fn computed(process: &Child) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).ok()?;
    let times: Vec<f64> =
        stat.rsplit(')').next()?.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    Some(times.iter().sum::<f64>() / 100.0)
}

/// The most memory that a process has held, MiB; where the system tells.
fn peak(process: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

#[tokio::main]
async fn main() {
    let lines = std::env::var("LINES").map_or(100_000, |count| count.parse().unwrap());
    let server = BenchServer::start("stock").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let platform = platform(&server, folder.path()).await;
    let file = file(lines);
    println!(
        "{} · {lines} lines, {} MB · synchronous_commit on",
        server.version().await.unwrap(),
        file.len() / 1_000_000
    );
    let mut worker = platform.worker();
    // The process is up once it has done something.
    import(&platform, b"Ref;Nom\nA;B\n", ImportMode::Describe, true).await;
    for (what, mode, dry_run) in [
        ("dry run", ImportMode::Receive, true),
        ("all new", ImportMode::Receive, false),
        ("all known, delivered again", ImportMode::Receive, false),
        ("all known, counted", ImportMode::Count, false),
    ] {
        let before = computed(&worker).unwrap_or_default();
        let (import, took) = import(&platform, &file, mode, dry_run).await;
        let of_worker = peak(&worker).zip(computed(&worker)).map_or_else(String::new, |(peak, after)| {
            format!("; the worker computed {:.1} s and held {peak} MiB at most", after - before)
        });
        println!(
            "import, {what}: {:.1} s, {:?}, {:?} created, {:?} updated, {:?} movements{of_worker}",
            took.as_secs_f64(),
            import.status,
            import.created,
            import.updated,
            import.movements
        );
    }
    let begun = Instant::now();
    let mut tx = platform.begin().await;
    let page = overview(&mut tx, &OverviewQuery::default()).await.unwrap();
    println!("page of {} items: {:.0} ms", page.total, begun.elapsed().as_secs_f64() * 1_000.0);
    let begun = Instant::now();
    let watched = watch(&mut tx).await.unwrap();
    println!("look that opens {} alerts: {:.1} s", watched.low, begun.elapsed().as_secs_f64());
    tx.rollback().await.unwrap();
    worker.kill().unwrap();
    worker.wait().unwrap();
    platform.db.close().await;
    server.stop().await.unwrap();
}
