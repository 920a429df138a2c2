//! Dumps and backups: sealed while they are kept, and gone when their time is over, when the practice wants it, and when somebody
//! is erased, who is then found nowhere.

use std::time::Duration;

use permanence_domain::{
    Error,
    identity::Role,
    ids::{ErasureId, MigrationId, PatientId},
    import::{self, Migration, MigrationFile, MigrationStatus, jobs::ClearMigration},
    privacy::{self, ErasureStatus},
};
use permanence_queue::Outcome;
use permanence_workers::perform::{Perform, Run};

use super::{MOVED_IN, NOW, asked, counts, dump, moved, performed, read};
use crate::{
    erasure::{erasure, night, stands},
    support::{World, vault},
};

pub(super) const DAY: Duration = Duration::from_hours(24);

async fn world() -> World {
    World::at(NOW, chrono_tz::Tz::Europe__Paris).await
}

async fn end(world: &World, id: MigrationId) -> permanence_domain::error::Result<()> {
    let mut tx = world.begin().await;
    import::end_files(&mut tx, id).await?;
    tx.commit().await
}

/// Objects of migrations in the store.
pub(super) async fn files(world: &World) -> usize {
    let all = world.objects_of(world.tenant).await;
    all.iter().filter(|object| object.area() == import::AREA).count()
}

fn told(migration: &Migration) -> [bool; 4] {
    [
        migration.dump_location.is_some(),
        migration.backup_location.is_some(),
        migration.files_ended_at.is_some(),
        migration.files_removed_at.is_some(),
    ]
}

#[tokio::test]
async fn what_was_moved_in_is_kept_for_its_days_and_then_removed() {
    let world = world().await;
    let migration = moved(&world, &dump()).await;
    assert_eq!(told(&migration), [true, true, false, false]);
    assert_eq!(migration.files_kept_until.unwrap().to_rfc3339(), "2027-02-10T08:00:00+00:00");
    assert_eq!(files(&world).await, 2);
    for text in ["Noël", "leo@blanc.example", "accident", &world.patient.to_string()] {
        let places = stands(&world, text).await;
        assert!(!places.iter().any(|place| place.starts_with(import::AREA)), "{text}: sealed: {places:?}");
    }
    let pool = world.work_on("privacy");
    world.clock.advance(29 * DAY);
    world.until_idle_on(Some("privacy")).await;
    assert_eq!(
        (told(&read(&world, migration.migration_id).await), files(&world).await),
        ([true, true, false, false], 2)
    );
    world.clock.advance(2 * DAY);
    world.until_idle_on(Some("privacy")).await;
    let over = read(&world, migration.migration_id).await;
    assert_eq!((over.status, told(&over)), (MigrationStatus::Completed, [false, false, true, true]));
    assert_eq!(files(&world).await, 0);
    // What was moved in can still be taken back: that needs no file.
    let mut tx = world.begin().await;
    import::rollback(&mut tx, migration.migration_id).await.unwrap();
    tx.commit().await.unwrap();
    pool.drain().await;
}

#[tokio::test]
async fn a_practice_ends_them_before_their_time_and_gives_up_what_waits() {
    let world = world().await;
    let done = moved(&world, &dump()).await.migration_id;
    end(&world, done).await.unwrap();
    assert_eq!(told(&read(&world, done).await), [false, false, true, false]);
    let mut tx = world.begin().await;
    let gone = import::read_file(&mut tx, Role::Practitioner, &vault(), done, MigrationFile::Dump).await;
    assert!(matches!(gone, Err(Error::Conflict { code: "migration_file_ended", .. })), "{gone:?}");
    drop(tx);
    end(&world, done).await.unwrap();

    // One that waits is given up; one that is at work finds itself over.
    let before = counts(&world).await;
    let mut other = dump();
    for (table, old) in [("patients", "q1"), ("appointments", "b1")] {
        other[table][0]["id"] = serde_json::json!(old);
    }
    other["appointments"] = serde_json::json!([]);
    let waiting = asked(&world, &serde_json::to_vec(&other).unwrap(), false).await;
    let mut tx = world.begin().await;
    let begun = import::begin(&mut tx, &vault(), waiting).await.unwrap();
    tx.commit().await.unwrap();
    end(&world, waiting).await.unwrap();
    let import::MigrationStart::Read(begun) = begun else { panic!("it waits") };
    let mut tx = world.begin().await;
    let late = import::stage(&mut tx, begun.stage, &import::StageKey::random().unwrap(), &[]).await;
    assert!(matches!(late, Err(Error::Conflict { code: "overtaken", .. })), "{late:?}");
    drop(tx);
    assert_eq!(performed(&world, waiting).await.unwrap(), Outcome::Done(None));
    let given_up = read(&world, waiting).await;
    assert_eq!((given_up.status, given_up.failure.as_deref()), (MigrationStatus::Failed, Some("withdrawn")));
    assert_eq!(counts(&world).await, before);
    let pool = world.work_on("privacy");
    world.until_idle_on(Some("privacy")).await;
    pool.drain().await;
    assert_eq!((told(&read(&world, done).await), files(&world).await), ([false, false, true, true], 0));

    // Nobody waits for one that is being applied.
    let at_work = asked(&world, &serde_json::to_vec(&other).unwrap(), false).await;
    let mut owner = world.owner().await;
    sqlx::raw_sql("BEGIN; SELECT id FROM data_migrations FOR NO KEY UPDATE")
        .execute(&mut owner)
        .await
        .unwrap();
    let busy = end(&world, at_work).await;
    assert!(matches!(busy, Err(Error::Conflict { code: "migration_at_work", .. })), "{busy:?}");
}

#[tokio::test]
async fn a_store_that_is_away_keeps_nothing_for_ever() {
    let world = world().await;
    let id = moved(&world, &dump()).await.migration_id;
    end(&world, id).await.unwrap();
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    let clear = ClearMigration { migration_id: id };
    world.objects.faults().always(permanence_embedded::storage::StorageFault::Away);
    assert!(clear.perform(run, &world.services()).await.is_err());
    assert_eq!(
        told(&read(&world, id).await),
        [false, false, true, false],
        "nothing is told that was not done"
    );
    world.objects.faults().clear();
    for _ in 0..2 {
        clear.perform(run, &world.services()).await.unwrap();
        assert_eq!((told(&read(&world, id).await), files(&world).await), ([false, false, true, true], 0));
    }
}

pub(super) async fn ask_erasure(world: &World, old_id: &str) -> (ErasureId, PatientId) {
    let mut tx = world.begin().await;
    let id =
        sqlx::query_scalar("SELECT new_id FROM migration_ids WHERE collection = 'patients' AND old_id = $1")
            .bind(old_id)
            .fetch_one(tx.conn())
            .await
            .unwrap();
    let erasure = privacy::request_erasure(&mut tx, PatientId(id)).await.unwrap();
    tx.commit().await.unwrap();
    (erasure.id, PatientId(id))
}

#[tokio::test]
async fn whoever_came_by_a_dump_can_be_erased_and_is_found_nowhere() {
    let world = world().await;
    let migration = moved(&world, &dump()).await.migration_id;
    // A fault that quotes her, of a dump that was refused.
    let mut wrong = dump();
    wrong["patients"][0]["phone"] = serde_json::json!("zoe.noel@old.example Zoé Noël");
    let refused = moved(&world, &wrong).await;
    assert_eq!(refused.status, MigrationStatus::Failed);
    assert!(!stands(&world, "zoé noël").await.is_empty());
    let mut owner = world.owner().await;
    // Kept for longer than an erasure waits.
    sqlx::query("UPDATE data_migrations SET files_kept_until = files_kept_until + interval '300 days'")
        .execute(&mut owner)
        .await
        .unwrap();
    let pool = world.work_on("privacy");
    world.until_idle_on(Some("privacy")).await;
    let (id, patient) = ask_erasure(&world, "p1").await;
    world.clock.advance(29 * DAY);
    assert_eq!(told(&read(&world, migration).await), [true, true, false, false]);
    world.clock.advance(2 * DAY);
    night(&world).await;
    night(&world).await;
    let done = erasure(&world, id).await;
    assert_eq!((done.status, done.findings.len()), (ErasureStatus::Completed, 0), "{done:?}");
    for text in ["noël", "698765432", "old.example", "06 98 76 54 32"] {
        let places = stands(&world, text).await;
        assert_eq!(places, Vec::<String>::new(), "{text}");
    }
    let ended = read(&world, migration).await;
    assert_eq!((told(&ended), files(&world).await), ([false, false, true, true], 0));
    let destroyed: Vec<(&str, i64, &str)> = done
        .destroyed
        .iter()
        .filter(|gone| gone.what.contains("migration"))
        .map(|gone| (gone.what.as_str(), gone.count, gone.how.as_str()))
        .collect();
    assert_eq!(
        destroyed,
        [
            ("data_migrations", 1, "key_destroyed"),
            ("migration_ids", 4, "deleted"),
            ("objects/migrations", 2, "removed")
        ]
    );
    // The law keeps the record, under a key that outlives the erasure.
    assert!(
        done.kept.iter().any(|kept| (kept.what.as_str(), kept.count) == ("medical_records", 1)),
        "{:?}",
        done.kept
    );
    // The others can still be taken back; the one who was erased stays as nobody.
    let mut tx = world.begin().await;
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM patients WHERE id = $1 AND erased_at IS NOT NULL")
            .bind(patient.0)
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!(left, 1);
    drop(tx);
    pool.drain().await;
}

#[tokio::test]
async fn an_erasure_waits_for_a_migration_and_tells_so() {
    let world = world().await;
    moved(&world, &dump()).await;
    let (id, _) = ask_erasure(&world, "p1").await;
    world.clock.advance(31 * DAY);
    let waiting = asked(&world, &serde_json::to_vec(&dump()).unwrap(), false).await;
    let erase = async || {
        let mut tx = world.begin().await;
        let objects = privacy::erase(&mut tx, &vault(), id).await.unwrap();
        tx.commit().await.unwrap();
        objects.map(|objects| objects.keys.len())
    };
    assert_eq!(erase().await, None);
    let put_off = erasure(&world, id).await;
    let places: Vec<(&str, u64)> =
        put_off.findings.iter().map(|found| (found.place.as_str(), found.count)).collect();
    assert_eq!((put_off.status, places), (ErasureStatus::Pending, vec![("public.data_migrations", 1)]));
    assert_eq!(read(&world, waiting).await.status, MigrationStatus::Pending);
    performed(&world, waiting).await.unwrap();
    assert_eq!(counts(&world).await, MOVED_IN);
    // The dumps and backups of both, whose jobs were not at work here.
    assert_eq!(erase().await, Some(4));
    assert_eq!(erasure(&world, id).await.findings, []);
}
