//! A practice with many patients, and the platform that exports them.

use std::time::{Duration, Instant};

use permanence_domain::{
    exports::{self, Export, ExportFormat, ExportKind, ExportStatus, Filters, NewExport, Profile},
    field::Day,
};

use crate::shared::{Platform, Process};

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
    pub(crate) platform: Platform,
}

impl Bench {
    pub(crate) async fn start(rows: i64) -> Self {
        let platform = Platform::start("exports").await;
        sqlx::query(PATIENTS).bind(platform.tenant.0).bind(rows).execute(&platform.owner).await.unwrap();
        platform.database.settle().await.unwrap();
        Self { platform }
    }

    /// Starts the pool on one core, and waits until it has settled.
    pub(crate) async fn worker(&self) -> Process {
        // The last core: the kernel's own work prefers the first.
        let core = std::thread::available_parallelism().unwrap().get() - 1;
        let worker =
            self.platform.process(&["taskset", "-c", &core.to_string(), env!("CARGO_BIN_EXE_exports")]);
        tokio::time::sleep(Duration::from_secs(3)).await;
        worker
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
        let mut tx = self.platform.begin().await;
        let id = exports::request(&mut tx, &new).await.unwrap().id;
        tx.commit().await.unwrap();
        loop {
            let mut tx = self.platform.begin().await;
            let export = exports::get(&mut tx, id).await.unwrap();
            match export.status {
                ExportStatus::Queued | ExportStatus::Running => {}
                ExportStatus::Completed => return export,
                other => panic!("{other:?}: {:?}", export.failure),
            }
            tx.commit().await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
