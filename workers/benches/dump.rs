//! What moving a practice in costs by the pool's real process, and how much memory it takes above what it holds when idle: a dry
//! run, all of it new, all of it known, and taking it back.
//! Run it with `cargo bench --workspace --bench dump`; `LINES=1000000` makes the dump larger.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the results are the output")]

#[allow(dead_code, reason = "each benchmark uses a part of what they share")]
mod shared;

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    time::{Duration, Instant},
};

use chrono::{NaiveDate, NaiveDateTime};
use permanence_domain::{
    field::{Flag, PersonName},
    files::Received,
    ids::uuid_at,
    import::{self, AREA, Migration, MigrationOptions, Named},
    page::Count,
    people::{self, NewPractitioner},
    storage::ObjectKey,
    vault::{ContentKey, LocalMaster, Vault},
};
use shared::{MASTER_KEYS, Platform, Process};
use tempfile::NamedTempFile;

/// Practitioners of the practice.
const PRACTITIONERS: usize = 10;

/// A dump of so many records: of ten, four patients, four appointments, two medical records with an earlier version each.
fn dump(records: usize) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let mut out = BufWriter::new(file.as_file());
    let (patients, medical) = (records * 4 / 10, records * 2 / 10);
    let visits = records - patients - medical;
    let first: NaiveDateTime = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap().into();
    let begin = |out: &mut BufWriter<_>, number: usize| {
        write!(out, "{}", if number == 0 { "" } else { "," }).unwrap();
    };
    write!(out, "{{\"patients\":[").unwrap();
    for number in 0..patients {
        begin(&mut out, number);
        write!(
            out,
            r#"{{"id":"p{number}","firstName":"Camille","lastName":"Garcia","birthDate":"1984-02-29","phone":"+336{number:08}",
                "email":"p{number}@patients.example","consents":{{"reminderSms":true}},"createdAt":"2020-01-01T00:00:00Z"}}"#
        )
        .unwrap();
    }
    write!(out, "],\"appointments\":[").unwrap();
    for number in 0..visits {
        begin(&mut out, number);
        let half_hours = i64::try_from(number / PRACTITIONERS).unwrap();
        let from = first + chrono::Duration::minutes(30 * half_hours);
        let (from, to) = (from.format("%FT%TZ"), (from + chrono::Duration::minutes(30)).format("%FT%TZ"));
        let practitioner = number % PRACTITIONERS;
        write!(
            out,
            r#"{{"id":"a{number}","patientId":"p{}","practitionerId":"{practitioner}","startsAt":"{from}","endsAt":"{to}"}}"#,
            number % patients.max(1)
        )
        .unwrap();
    }
    write!(out, "],\"medicalRecords\":[").unwrap();
    let text = "Douleur vive de l'épaule droite, mobilité réduite, antalgiques. ".repeat(8);
    for number in 0..medical {
        begin(&mut out, number);
        write!(
            out,
            r#"{{"id":"m{number}","patientId":"p{}","practitionerId":"0","occurredOn":"2020-01-01","title":"Épaule","content":"{text}",
                "updatedAt":"2020-01-03T00:00:00Z","versions":[{{"occurredOn":"2020-01-01","title":"Épaule","content":"{text}",
                "writtenAt":"2020-01-02T00:00:00Z"}}]}}"#,
            number / 2
        )
        .unwrap();
    }
    write!(out, "]}}").unwrap();
    out.flush().unwrap();
    drop(out);
    file
}

struct Bench {
    platform: Platform,
    vault: Vault,
    practitioners: Named,
}

impl Bench {
    async fn start() -> Self {
        let platform = Platform::start("dump").await;
        let mut practitioners = BTreeMap::new();
        let mut tx = platform.begin().await;
        for number in 0..PRACTITIONERS {
            let new = NewPractitioner {
                first_name: PersonName::parse("Dominique").unwrap(),
                last_name: PersonName::parse("Roy").unwrap(),
                specialty: None,
                rpps_number: None,
                adeli_number: None,
                user_id: None,
            };
            practitioners.insert(number.to_string(), people::add(&mut tx, &new).await.unwrap().id);
        }
        tx.commit().await.unwrap();
        let vault = Vault::new(LocalMaster::parse(MASTER_KEYS).unwrap());
        Self { platform, vault, practitioners: Named(practitioners) }
    }

    /// Hands the dump in as the API does, and waits for its end.
    async fn moved(&self, dump: &NamedTempFile, dry_run: bool) -> (Migration, Duration) {
        let key = ContentKey::random().unwrap();
        let sealed = NamedTempFile::new().unwrap();
        key.seal(dump.reopen().unwrap(), BufWriter::new(sealed.as_file())).unwrap();
        let mut tx = self.platform.begin().await;
        let name = format!("{}.sealed", uuid_at(tx.now()));
        let object = ObjectKey::of(AREA, self.platform.tenant, &name).unwrap();
        self.platform.storage().put_file(&object, "application/octet-stream", sealed.path()).await.unwrap();
        let bytes = i64::try_from(dump.as_file().metadata().unwrap().len()).unwrap();
        let received = Received { object: &object, media_type: "application/json", bytes, key: &key };
        let dry_run = Flag::parse(&dry_run.to_string()).unwrap();
        let options = MigrationOptions {
            dry_run,
            practitioners: self.practitioners.clone(),
            keep_days: Count::default(),
        };
        let asked = import::request(&mut tx, &self.vault, &options, &received).await.unwrap();
        let begun = Instant::now();
        tx.commit().await.unwrap();
        loop {
            let mut tx = self.platform.begin().await;
            let migration = import::get(&mut tx, asked.migration_id).await.unwrap();
            if migration.finished_at.is_some() {
                return (migration, begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn measure(
        &self,
        worker: &Process,
        idle: f64,
        what: &str,
        dump: &NamedTempFile,
        dry_run: bool,
    ) -> Migration {
        let before = worker.cpu_seconds();
        let (migration, took) = self.moved(dump, dry_run).await;
        println!(
            "{what}: {:.1} s, {:?}, {} made, {:?} faults; the worker computed {:.1} s, and held until now {:.0} MiB at most above \
             its {idle:.0} MiB",
            took.as_secs_f64(),
            migration.status,
            migration.records_migrated,
            migration.fault_count,
            worker.cpu_seconds() - before,
            worker.peak_mib() - idle,
        );
        migration
    }
}

#[tokio::main]
async fn main() {
    let records = std::env::var("LINES").map_or(100_000, |count| count.parse().unwrap());
    let bench = Bench::start().await;
    let dump_file = dump(records);
    println!(
        "{} · {records} records, {} MB · synchronous_commit on",
        bench.platform.version().await,
        dump_file.as_file().metadata().unwrap().len() / 1_000_000
    );
    let worker = bench.platform.process(&[env!("CARGO_BIN_EXE_privacy")]);
    // The process is up, and warm, once it has done something.
    bench.moved(&dump(10), true).await;
    let idle = worker.resident_mib();
    bench.measure(&worker, idle, "dry run", &dump_file, true).await;
    let migration = bench.measure(&worker, idle, "all new", &dump_file, false).await;
    bench.measure(&worker, idle, "all known", &dump_file, false).await;
    let begun = Instant::now();
    let mut tx = bench.platform.begin().await;
    import::rollback(&mut tx, migration.migration_id).await.unwrap();
    tx.commit().await.unwrap();
    println!("taken back: {:.1} s", begun.elapsed().as_secs_f64());
    worker.stop();
    bench.platform.stop().await;
}
