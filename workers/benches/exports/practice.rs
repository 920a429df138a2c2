//! A practice with many patients, and the platform that exports them.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use permanence_domain::{
    clock::SystemClock,
    config::{Secret, StorageConfig},
    db::{Actor, Db},
    exports::{self, Export, ExportFormat, ExportKind, ExportStatus, Filters, NewExport, Profile},
    field::{Day, Label, Language},
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
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
pub(crate) const BUCKET: &str = "permanence";

/// As a practice's software would register them, three minutes apart: names, addresses and numbers of usual lengths.
const PATIENTS: &str = "
    INSERT INTO patients (tenant_id, id, last_name, first_name, birth_date, email, phone, language, sms_consent,
                          email_consent, created_at, updated_at)
    SELECT $1, (lpad(to_hex(1700000000000 + n * 180000), 12, '0') || '7' || substr(md5(n::text), 1, 19))::uuid,
           last, first, date '1930-01-01' + (n * 7919 % 33000)::integer,
           CASE WHEN n % 5 > 0 THEN lower(first || '.' || last || n || '@example.fr') END,
           CASE WHEN n % 7 > 0 THEN '+336' || lpad((n * 7919 % 100000000)::text, 8, '0') END,
           CASE WHEN n % 20 = 0 THEN 'en' ELSE 'fr' END, n % 3 = 0, n % 2 = 0, at, at + interval '1 day'
    FROM (SELECT n, timestamptz '2015-01-01Z' + n * interval '3 minutes' AS at,
                 (ARRAY['Martin','Bernard','Thomas','Petit','Robert','Richard','Durand','Dubois','Moreau','Laurent',
                        'Lefèvre','García','Le Goff','Da Silva','O''Brien','Nguyễn'])[1 + n * 7 % 16] AS last,
                 (ARRAY['Marie','Jean','Hélène','Zoé','Camille','Léa','Louis','Noé','Anaïs','Théo','Jean-Pierre',
                        'Chloé'])[1 + n * 5 % 12] AS first
          FROM generate_series(1, $2::bigint) AS n) AS people";

pub(crate) struct Bench {
    server: BenchServer,
    pub(crate) database: BenchDatabase,
    pub(crate) login_url: String,
    pub(crate) objects: ObjectStore,
    pub(crate) db: Db,
    pub(crate) tenant: TenantId,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn start(rows: i64) -> Self {
        let server = BenchServer::start("exports").await.unwrap();
        let database = server.database().await.unwrap();
        let login_url = server.url("permanence_login", "bench", &database);
        migrate(&database.owner, &Secret::new(login_url.as_str())).await.unwrap();
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
        let mut owner = PgConnection::connect_with(&database.owner).await.unwrap();
        sqlx::query(PATIENTS).bind(tenant.0).bind(rows).execute(&mut owner).await.unwrap();
        database.settle().await.unwrap();
        Self { server, database, login_url, objects, db, tenant, _folder: folder }
    }

    pub(crate) async fn version(&self) -> String {
        self.server.version().await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.db.close().await;
        self.server.stop().await.unwrap();
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

    /// Has everything exported as an archive; gives the seconds from the question to the answer, and the file's size.
    pub(crate) async fn export(&self, run: i64) -> (f64, i64) {
        let begun = Instant::now();
        let export = self.written(run, ExportFormat::Zip).await;
        (begun.elapsed().as_secs_f64(), export.size_bytes.unwrap())
    }

    pub(crate) async fn written(&self, run: i64, format: ExportFormat) -> Export {
        // Another day before the first patient: the same rows, and not the same question.
        let from = Day::parse(&format!("19{:02}-01-01", 10 + run)).unwrap();
        let filters = Some(Filters { from: Some(from), ..Filters::default() });
        let new = NewExport { kind: ExportKind::Patients, format, profile: Some(Profile::French), filters };
        let mut tx = self.db.tenant(self.tenant, Actor::JOB).await.unwrap();
        let id = exports::request(&mut tx, &new).await.unwrap().id;
        tx.commit().await.unwrap();
        loop {
            let mut tx = self.db.tenant(self.tenant, Actor::JOB).await.unwrap();
            let export = exports::get(&mut tx, id).await.unwrap();
            match export.status {
                ExportStatus::Queued | ExportStatus::Running => {}
                ExportStatus::Completed => return export,
                other => panic!("{other:?}: {:?}", export.failure),
            }
            tx.commit().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}
