//! Practices that move in, through the real queue and a real object store: what is made of a dump, what is refused, and how
//! it is taken back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod deaths;
mod ends;
mod records;

use std::{collections::BTreeMap, time::Duration};

use chrono_tz::Tz;
use permanence_domain::{
    Error,
    clock::Clock,
    db::Actor,
    field::Flag,
    files::Received,
    identity::Role,
    ids::{MigrationId, PatientId, uuid_at},
    import::{self, AREA, Migration, MigrationFile, MigrationOptions, MigrationStatus, Named},
    operations::{JobsTx, get_job},
    page::Count,
    patients,
    storage::ObjectKey,
    vault::ContentKey,
};
use permanence_embedded::storage::StorageFault;
use permanence_queue::Outcome;
use permanence_workers::perform::{Perform, Run};
use serde_json::{Value, json};

use crate::support::{World, soon, vault};

/// Patients with the one who was there before, appointments, availability, reminders, versions of records, staged records.
const MOVED_IN: [i64; 6] = [3, 3, 1, 1, 3, 0];
const NOW: &str = "2027-01-11T08:00:00Z";

fn dump() -> Value {
    json!({
        "version": "1.4.0",
        "patients": [
            { "id": "p1", "firstName": "Zoé", "lastName": "Noël", "birthDate": "1984-02-29", "phone": "06 98 76 54 32",
              "email": "", "consents": { "reminderSms": true }, "createdAt": "2026-01-01T00:00:00Z" },
            { "id": 2, "firstName": "Léo", "lastName": "Blanc", "email": "Leo@Blanc.example",
              "consents": { "reminderEmail": true } },
        ],
        "appointments": [
            { "id": "a1", "patientId": "p1", "practitionerId": "7", "startsAt": "2026-12-01T10:00",
              "endsAt": "2026-12-01T10:30", "reason": "Suivi" },
            { "id": "a2", "patientId": 2, "practitionerId": "7", "startsAt": "2027-01-20T10:00", "endsAt": "2027-01-20T10:30" },
            { "id": "a3", "patientId": "p1", "practitionerId": "7", "startsAt": "2027-01-20T10:00",
              "endsAt": "2027-01-20T10:30", "status": "cancelled" },
        ],
        "medical_records": [
            { "id": "m1", "patientId": "p1", "practitionerId": "7", "kind": "diagnosis", "occurredOn": "2026-12-01",
              "title": "Épaule gelée", "content": "Récupère après l'accident", "createdAt": "2026-12-01T10:30:00.250Z",
              "updatedAt": "2026-12-03T09:00:00Z",
              "versions": [{ "practitionerId": "7", "occurredOn": "2026-12-01", "title": "Épaule", "content": "Douleur vive",
                             "writtenAt": "2026-12-01T10:30:00.250Z" }] },
            { "id": 9, "patientId": 2, "practitionerId": "88", "occurredOn": "2026-11-02", "title": "Bilan",
              "content": "Sans particularité" },
        ],
        "availability": [{ "id": "v1", "practitionerId": "7", "weekday": 1, "from": "09:00", "to": "12:00" }],
    })
}

/// Puts a dump into the store, sealed as the API seals it.
async fn stored(world: &World, dump: &[u8]) -> (ObjectKey, ContentKey) {
    let object =
        ObjectKey::of(AREA, world.tenant, &format!("{}.sealed", uuid_at(world.clock.now()))).unwrap();
    let (key, mut sealed) = (ContentKey::random().unwrap(), Vec::new());
    key.seal(dump, &mut sealed).unwrap();
    world.storage().put(&object, "application/octet-stream", sealed).await.unwrap();
    (object, key)
}

/// Asks for a dump to be moved in.
async fn asked(world: &World, dump: &[u8], dry_run: bool) -> MigrationId {
    let (object, key) = stored(world, dump).await;
    let bytes = i64::try_from(dump.len()).unwrap();
    let dump = Received { object: &object, media_type: "application/json", bytes, key: &key };
    let practitioners = Named(BTreeMap::from([("7".to_owned(), world.practitioner)]));
    let dry_run = Flag::parse(&dry_run.to_string()).unwrap();
    let options = MigrationOptions { dry_run, practitioners, keep_days: Count::default() };
    let mut tx = world.begin().await;
    let asked = import::request(&mut tx, &vault(), &options, &dump).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(asked.status, MigrationStatus::Pending);
    asked.migration_id
}

/// What is in a file of a migration.
async fn opened(world: &World, id: MigrationId, file: MigrationFile) -> Vec<u8> {
    let mut tx = world.begin().await;
    let content = import::read_file(&mut tx, Role::Practitioner, &vault(), id, file).await.unwrap();
    tx.commit().await.unwrap();
    let mut opening = content.key.open(world.storage().read(&content.object).await.unwrap()).await.unwrap();
    let mut plain = Vec::new();
    while let Some(chunk) = opening.next().await.unwrap() {
        plain.extend(chunk);
    }
    plain
}

/// Performs the job of a migration, whoever else does.
async fn performed(world: &World, migration_id: MigrationId) -> permanence_domain::error::Result<Outcome> {
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    import::jobs::ImportDump { migration_id }.perform(run, &world.services()).await
}

async fn read(world: &World, id: MigrationId) -> Migration {
    let mut tx = world.begin().await;
    import::get(&mut tx, id).await.unwrap()
}

async fn ended(world: &World, id: MigrationId) -> Migration {
    let condition = async {
        loop {
            let migration = read(world, id).await;
            if migration.finished_at.is_some() {
                return migration;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the migration ends", condition).await
}

async fn moved(world: &World, dump: &Value) -> Migration {
    let id = asked(world, &serde_json::to_vec(dump).unwrap(), false).await;
    let pool = world.work_on("privacy");
    let migration = ended(world, id).await;
    pool.drain().await;
    migration
}

async fn counts(world: &World) -> [i64; 6] {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let mut all = [0; 6];
    for (count, query) in all.iter_mut().zip([
        "SELECT count(*) FROM patients",
        "SELECT count(*) FROM appointments",
        "SELECT count(*) FROM availability_entries",
        "SELECT count(*) FROM messages WHERE status = 'planned'",
        "SELECT count(*) FROM medical_record_versions",
        "SELECT count(*) FROM migration_records",
    ]) {
        *count = sqlx::query_scalar(query).fetch_one(tx.conn()).await.unwrap();
    }
    all
}

fn parts(migration: &Migration) -> Vec<(&'static str, i64, i64, i64)> {
    let details = migration.details.iter();
    details.map(|part| (part.table.as_str(), part.found, part.created, part.known)).collect()
}

#[tokio::test]
async fn a_practice_moves_in_whole_and_its_patients_are_reminded_and_not_confirmed() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let migration = moved(&world, &dump()).await;
    assert_eq!((migration.status, &migration.faults), (MigrationStatus::Completed, &Vec::new()));
    assert_eq!(
        parts(&migration),
        [
            ("appointments", 3, 3, 0),
            ("availability", 1, 1, 0),
            ("medical_records", 2, 2, 0),
            ("patients", 2, 2, 0),
        ]
    );
    assert_eq!(migration.records_migrated, 8);
    assert!(migration.details.iter().all(|part| part.checksum.is_some()));
    // One was there before. Of what is coming and stands there is a reminder, and nothing is said of it now.
    assert_eq!(counts(&world).await, MOVED_IN);
    let mut tx = world.begin().await;
    let said: Vec<String> =
        sqlx::query_scalar("SELECT purpose FROM messages").fetch_all(tx.conn()).await.unwrap();
    assert_eq!(said, ["reminder"]);
    let zoe: uuid::Uuid = sqlx::query_scalar("SELECT new_id FROM migration_ids WHERE old_id = 'p1'")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    let zoe = patients::get(&mut tx, PatientId(zoe)).await.unwrap();
    assert_eq!(
        (zoe.phone.as_deref(), zoe.email, zoe.consents.reminder_sms),
        (Some("+33698765432"), None, true)
    );

    // The backup is what was there before.
    let before = opened(&world, migration.migration_id, MigrationFile::Backup).await;
    let before = String::from_utf8(before).unwrap();
    let lines: Vec<Value> = before.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let patients: Vec<&Value> = lines.iter().filter(|line| line["table"] == "patients").collect();
    assert_eq!(patients.len(), 1);
    assert_eq!(patients[0]["row"]["id"], json!(world.patient));
    let kept = opened(&world, migration.migration_id, MigrationFile::Dump).await;
    assert_eq!(kept, serde_json::to_vec(&dump()).unwrap());

    // The same dump again makes nothing twice.
    let again = moved(&world, &dump()).await;
    assert_eq!((again.status, again.records_migrated), (MigrationStatus::Completed, 0));
    assert_eq!(again.details.iter().map(|part| part.known).sum::<i64>(), 8);
    assert_eq!(counts(&world).await, MOVED_IN);
    // And so does the same job.
    assert_eq!(performed(&world, migration.migration_id).await.unwrap(), Outcome::Done(None));
    assert_eq!(counts(&world).await, MOVED_IN);
}

#[expect(clippy::too_many_lines, reason = "every fault of one dump")]
#[tokio::test]
async fn every_fault_is_told_with_its_place_and_nothing_is_moved_in() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    world.book("2027-01-21T10:00:00").await;
    let mut wrong = dump();
    wrong["notes"] = json!([1]);
    wrong["patients"].as_array_mut().unwrap().extend([
        json!({ "id": "p1", "firstName": "A", "lastName": "B" }),
        json!({ "firstName": "A", "lastName": "", "phone": "12", "birthDate": "30/02/1984" }),
        json!(7),
    ]);
    wrong["medical_records"].as_array_mut().unwrap().extend([
        json!({ "id": "m2", "patientId": "p9", "occurredOn": "2026-11-02", "title": "Bilan", "content": "Un secret" }),
        json!({ "id": "m3", "patientId": "p1", "occurredOn": "Un secret", "kind": "Un secret", "title": "Bilan",
                "notes": "Un secret" }),
        json!({ "id": "m4", "patientId": "p1", "occurredOn": "2027-01-12", "title": "a\nb", "content": "Un secret",
                "updatedAt": "2026-12-01T10:00", "versions": [
                    { "occurredOn": "2026-11-02", "title": "Bilan", "content": "Un secret", "writtenAt": "2026-12-01T10:01" },
                    { "occurredOn": "2026-11-02", "title": "Bilan", "content": "x", "writtenAt": "2027-02-01T10:00:00Z" }] }),
        json!({ "id": "m5", "patientId": "p1", "occurredOn": "2026-11-02", "title": "Bilan", "content": "Un secret",
                "updatedAt": "2026-12-01T10:00",
                "versions": [{ "occurredOn": "2026-11-02", "title": "", "content": "x", "writtenAt": "2026-11-02T10:00" }] }),
    ]);
    let visit = |id: &str, patient: &str, practitioner: &str, day: &str| {
        let (from, to) = (format!("2027-01-{day}T10:00"), format!("2027-01-{day}T10:30"));
        json!({ "id": id, "patientId": patient, "practitionerId": practitioner, "startsAt": from, "endsAt": to })
    };
    wrong["appointments"].as_array_mut().unwrap().extend([
        visit("b1", "p1", "7", "20"),
        visit("b2", "p1", "7", "21"),
        visit("b3", "p9", "7", "22"),
        visit("b4", "p1", "8", "23"),
    ]);
    let before = counts(&world).await;
    let migration = moved(&world, &wrong).await;
    assert_eq!((migration.status, migration.failure.as_deref()), (MigrationStatus::Failed, Some("faults")));
    assert_eq!(
        (migration.backup_location, migration.dump_location, migration.records_migrated),
        (None, None, 0)
    );
    let mut told: Vec<(String, i64, String, String)> = migration
        .faults
        .iter()
        .map(|fault| {
            let table = fault.table.map_or("", |table| table.as_str()).to_owned();
            (table, fault.index.unwrap_or(-1), fault.field.clone().unwrap_or_default(), fault.code.clone())
        })
        .collect();
    told.sort();
    let of = |table: &str, index, field: &str, code: &str| {
        (table.to_owned(), index, field.to_owned(), code.to_owned())
    };
    assert_eq!(
        told,
        [
            of("", -1, "", "unknown_table"),
            of("appointments", 3, "starts_at", "slot_taken"),
            of("appointments", 4, "starts_at", "slot_taken"),
            of("appointments", 5, "patient_id", "unknown_patient"),
            of("appointments", 6, "practitioner_id", "unknown_practitioner"),
            of("medical_records", 2, "patient_id", "unknown_patient"),
            of("medical_records", 3, "content", "missing"),
            of("medical_records", 3, "kind", "unknown_value"),
            of("medical_records", 3, "notes", "unknown_field"),
            of("medical_records", 3, "occurred_on", "not_a_date"),
            of("medical_records", 4, "occurred_on", "in_the_future"),
            of("medical_records", 4, "title", "not_a_text"),
            of("medical_records", 4, "updated_at", "not_in_order"),
            of("medical_records", 4, "versions[1].written_at", "in_the_future"),
            of("medical_records", 5, "versions[0].title", "missing"),
            of("patients", 2, "id", "repeated"),
            of("patients", 3, "birth_date", "not_a_date"),
            of("patients", 3, "id", "missing"),
            of("patients", 3, "last_name", "missing"),
            of("patients", 3, "phone", "not_a_phone"),
            of("patients", 4, "", "not_an_object"),
        ]
    );
    assert_eq!(migration.fault_count, Some(21));
    let report = serde_json::to_string(&migration.faults).unwrap();
    assert!(!report.contains("secret"), "what is medical is in no report: {report}");
    let phone = migration.faults.iter().find(|fault| fault.code == "not_a_phone").unwrap();
    assert_eq!(phone.read.as_deref(), Some("12"));
    assert_eq!(counts(&world).await, before);

    let cut = asked(&world, b"{\"patients\": [{", false).await;
    let pool = world.work_on("privacy");
    let cut = ended(&world, cut).await;
    assert_eq!((cut.status, cut.faults[0].code.as_str()), (MigrationStatus::Failed, "malformed"));
    let dry = asked(&world, &serde_json::to_vec(&dump()).unwrap(), true).await;
    let dry = ended(&world, dry).await;
    assert_eq!((dry.status, dry.records_migrated, dry.dump_location), (MigrationStatus::Completed, 0, None));
    pool.drain().await;
    assert_eq!(counts(&world).await, before);
}

#[tokio::test]
async fn a_store_that_is_away_is_tried_again_and_nothing_is_half_done() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let id = asked(&world, &serde_json::to_vec(&dump()).unwrap(), false).await;
    let job = read(&world, id).await.job_id;
    world.objects.faults().always(StorageFault::Away);
    let pool = world.work_on("privacy");
    let failed = async {
        loop {
            let mut tx = JobsTx::Own(world.begin().await);
            if get_job(&mut tx, job).await.unwrap().state == "retryable" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("a failed attempt", failed).await;
    assert_eq!(read(&world, id).await.status, MigrationStatus::Running);
    world.objects.faults().clear();
    world.clock.advance(Duration::from_secs(10));
    ended(&world, id).await;
    pool.drain().await;
    assert_eq!(read(&world, id).await.status, MigrationStatus::Completed);
    assert_eq!(counts(&world).await, MOVED_IN);
}

#[tokio::test]
async fn a_migration_is_taken_back_exactly_unless_somebody_built_on_it() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let before = counts(&world).await;
    let migration = moved(&world, &dump()).await;
    let mut tx = world.begin().await;
    let back = import::rollback(&mut tx, migration.migration_id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(back.status, MigrationStatus::RolledBack);
    assert!(back.dump_location.is_some(), "it is kept for its time");
    assert_eq!(counts(&world).await, before);
    world.until_idle_on(Some("reminders")).await;
    let mut tx = world.begin().await;
    let twice = import::rollback(&mut tx, migration.migration_id).await.unwrap_err();
    assert!(matches!(twice, Error::Conflict { code: "migration_not_completed", .. }), "{twice:?}");
    drop(tx);

    // It can come again, and then be built on.
    let migration = moved(&world, &dump()).await;
    assert_eq!(migration.records_migrated, 8);
    let mut tx = world.begin().await;
    sqlx::query("UPDATE patients SET version = 2 WHERE last_name = 'Noël'").execute(tx.conn()).await.unwrap();
    let changed = import::rollback(&mut tx, migration.migration_id).await.unwrap_err();
    let Error::Conflict { code: "migration_changed", detail } = changed else { panic!("{changed:?}") };
    assert!(detail.starts_with("1 change(s) since: patient "), "{detail}");
    drop(tx);

    // Whoever was not moved in cannot be deleted, whatever the code says.
    let mut tx = world.begin().await;
    let gone = sqlx::query("DELETE FROM patients WHERE id = $1")
        .bind(world.patient.0)
        .execute(tx.conn())
        .await
        .unwrap();
    assert_eq!(gone.rows_affected(), 0);
}
