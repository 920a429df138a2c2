//! Backups through the real queue, a real database and a real store: whole and read back; one at a time; without the store; with a
//! death in between; with tables that nobody thought of; and removed when their time is over.

use std::{path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use permanence_domain::{
    Error,
    backup::{
        Keep, Manifest, Source,
        jobs::{RemoveBackups, WriteBackup},
        last_backup, list_manifests, manifest_key,
    },
    clock::{Clock, SystemClock},
    db::Actor,
    ids::{BackupId, uuid_at},
};
use permanence_embedded::storage::StorageFault;
use permanence_queue::Outcome;
use permanence_workers::{
    backup::{BackupServices, check},
    perform::{Perform, Run},
    services::Services,
};
use sqlx::AssertSqlSafe;

use crate::support::{World, soon};

const RUN: Run = Run { tenant: None, last_attempt: false };

async fn world() -> World {
    let world = World::at("2027-01-04T02:00:00Z", Tz::Europe__Paris).await;
    world.admit_backup().await;
    world
}

async fn ask(world: &World) {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    tx.enqueue(WriteBackup::job().unwrap()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Status and error of each backup that was begun, the oldest first.
async fn noted(world: &World) -> Vec<(String, Option<String>)> {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    sqlx::query_as("SELECT status, error FROM backups ORDER BY id").fetch_all(tx.conn()).await.unwrap()
}

fn files(world: &World) -> Vec<PathBuf> {
    let folder = world.objects.bucket_folder("permanence").join("backups/dumps");
    std::fs::read_dir(folder)
        .map(|found| found.map(|file| file.unwrap().path()).collect())
        .unwrap_or_default()
}

fn ended(status: &str) -> (String, Option<String>) {
    (status.to_owned(), None)
}

fn failed(error: &str) -> (String, Option<String>) {
    ("failed".to_owned(), Some(error.to_owned()))
}

#[tokio::test]
async fn a_backup_is_whole_sealed_and_read_back_and_two_questions_are_one() {
    let world = world().await;
    ask(&world).await;
    ask(&world).await;
    let pool = world.work_on("backups");
    world.until_idle_on(Some("backups")).await;
    assert_eq!(noted(&world).await, [ended("completed")]);
    let manifests = list_manifests(&world.storage()).await.unwrap();
    let [manifest] = &manifests[..] else { panic!("one: {manifests:?}") };
    let table = |name: &str| manifest.tables.iter().find(|table| table.table == name).unwrap().rows;
    assert_eq!((table("public.patients"), table("public.practitioners"), table("public.tenants")), (1, 1, 1));
    assert_eq!(
        table("public._sqlx_migrations"),
        i64::try_from(permanence_domain::migrate::MIGRATOR.iter().count()).unwrap()
    );
    let with = world.backup();
    check(&world.storage(), &with.keys, &with.programs, manifest).await.unwrap();
    // Sealed: neither a name nor Postgres' own mark of an archive is in the object.
    let bytes = std::fs::read(&files(&world)[0]).unwrap();
    for plain in [&b"PGDMP"[..], b"Garcia", b"patients"] {
        assert!(!bytes.windows(plain.len()).any(|window| window == plain));
    }
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let now = tx.now();
    let last = last_backup(tx.conn(), now).await.unwrap().unwrap();
    assert_eq!((last.id, last.size_bytes), (manifest.id, i64::try_from(bytes.len()).unwrap()));
    // Its time has come again.
    ask(&world).await;
    world.until_idle_on(Some("backups")).await;
    assert_eq!(noted(&world).await, [ended("completed"), ended("completed")]);
    pool.drain().await;
}

#[tokio::test]
async fn what_was_cut_or_changed_or_is_under_another_key_is_refused() {
    let world = world().await;
    ask(&world).await;
    let pool = world.work_on("backups");
    world.until_idle_on(Some("backups")).await;
    pool.drain().await;
    let manifest = list_manifests(&world.storage()).await.unwrap().remove(0);
    let with = world.backup();
    let code =
        async |with: &BackupServices| match check(&world.storage(), &with.keys, &with.programs, &manifest)
            .await
        {
            Err(Error::Conflict { code, .. }) => code,
            other => panic!("{other:?}"),
        };
    let file = files(&world).remove(0);
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for changed in [&flipped[..], &whole[..whole.len() - 1], &whole[..100], &[], &[&whole[..], b"x"].concat()]
    {
        std::fs::write(&file, changed).unwrap();
        assert_eq!(code(&with).await, "backup_changed", "{} bytes", changed.len());
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code(&with).await, "backup_missing");
    std::fs::write(&file, &whole).unwrap();
    let keys = |text: String| BackupServices {
        keys: permanence_domain::vault::BackupKeys::parse(&text).unwrap(),
        ..world.backup()
    };
    assert_eq!(code(&keys(format!("test:{}", "0c".repeat(32)))).await, "backup_key_wrong");
    assert_eq!(code(&keys(format!("other:{}", "0b".repeat(32)))).await, "backup_key_missing");
    // After a rotation the old key still opens.
    let rotated = keys(format!("new:{},test:{}", "0c".repeat(32), "0b".repeat(32)));
    check(&world.storage(), &rotated.keys, &rotated.programs, &manifest).await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_away_and_a_death_in_between_leave_nothing_and_the_next_run_is_whole() {
    let world = world().await;
    world.objects.faults().always(StorageFault::Away);
    ask(&world).await;
    let pool = world.work_on("backups");
    soon("noted as failed", async {
        while noted(&world).await != [failed("unavailable")] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    world.objects.faults().always(StorageFault::HoldAt("upload_part"));
    soon("under way", async {
        while noted(&world).await != [failed("unavailable"), ended("running")] {
            // The next attempt is due after the backoff.
            world.clock.advance(Duration::from_mins(1));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // An upload that is begun and not noted yet is the sweep's.
    soon("an upload", async {
        let noted = "SELECT count(*) FROM backups WHERE status = 'running' AND upload_id IS NOT NULL";
        let mut owner = world.owner().await;
        while sqlx::query_scalar::<_, i64>(noted).fetch_one(&mut owner).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    pool.kill().await;
    world.objects.faults().clear();
    let pool = world.work_on("backups");
    soon("whole", async {
        while noted(&world).await.last() != Some(&ended("completed")) {
            world.clock.advance(Duration::from_mins(1));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    pool.drain().await;
    let noted = noted(&world).await;
    assert_eq!(noted[1], failed("interrupted"), "{noted:?}");
    assert_eq!(files(&world).len(), 1, "what the others began is gone");
    assert!(world.storage().list_uploads("backups/dumps").await.unwrap().is_empty());
    assert_eq!(list_manifests(&world.storage()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_table_that_nobody_thought_of_is_read_whole_and_one_that_would_hide_rows_stops_the_backup() {
    let world = world().await;
    let mut owner = world.owner().await;
    let made = format!(
        "CREATE TABLE late (tenant_id uuid NOT NULL, word text);
         ALTER TABLE late ENABLE ROW LEVEL SECURITY; ALTER TABLE late FORCE ROW LEVEL SECURITY;
         CREATE POLICY tenant_rows ON late TO permanence_tenant USING (tenant_id = current_tenant());
         INSERT INTO late VALUES ('{}', 'one'), (gen_random_uuid(), 'two')",
        world.tenant
    );
    sqlx::raw_sql(AssertSqlSafe(made)).execute(&mut owner).await.unwrap();
    let source = world.backup().source;
    let rows = async || {
        let mut source = Source::open(&source).await?;
        let figures = source.figures().await?;
        source.close().await?;
        Ok::<_, Error>(figures.into_iter().find(|table| table.table == "public.late").unwrap())
    };
    let seen = rows().await.unwrap();
    assert_eq!(seen.rows, 2, "of every tenant");
    sqlx::raw_sql("UPDATE late SET word = 'three' WHERE word = 'two'").execute(&mut owner).await.unwrap();
    let changed = rows().await.unwrap();
    assert!(changed.rows == 2 && changed.checksum != seen.checksum, "{seen:?} {changed:?}");
    // The role reads and does nothing else.
    let mut conn = <sqlx::PgConnection as sqlx::Connection>::connect(source.expose()).await.unwrap();
    assert!(
        sqlx::query("SELECT * FROM patients").execute(&mut conn).await.is_err(),
        "not by the login itself"
    );
    sqlx::raw_sql("SET ROLE permanence_backup").execute(&mut conn).await.unwrap();
    for forbidden in [
        "DELETE FROM patients",
        "UPDATE users SET email = 'x'",
        "SET ROLE permanence_system",
        "CREATE TABLE x ()",
    ] {
        assert!(sqlx::query(forbidden).execute(&mut conn).await.is_err(), "{forbidden}");
    }
    sqlx::raw_sql("CREATE POLICY hides ON late AS RESTRICTIVE USING (word <> 'one')")
        .execute(&mut owner)
        .await
        .unwrap();
    assert!(rows().await.is_err(), "a policy hides a row");
}

/// Puts a backup into the store that is as old as this.
async fn place(world: &World, template: &Manifest, at: DateTime<Utc>) -> BackupId {
    let id = BackupId(uuid_at(at));
    let manifest = Manifest { id, at, ended_at: at, ..template.clone() };
    let storage = world.storage();
    storage
        .put(&manifest_key(id).unwrap(), "application/json", serde_json::to_vec(&manifest).unwrap())
        .await
        .unwrap();
    storage.put(&manifest.dump().unwrap(), "application/octet-stream", vec![7]).await.unwrap();
    id
}

#[tokio::test]
async fn what_has_served_its_time_is_removed_and_so_is_what_leads_nowhere() {
    let world = world().await;
    ask(&world).await;
    let pool = world.work_on("backups");
    world.until_idle_on(Some("backups")).await;
    pool.drain().await;
    let newest = list_manifests(&world.storage()).await.unwrap().remove(0);
    let now = SystemClock.now();
    let mut placed = Vec::new();
    for days in [1, 2, 200] {
        placed.push(place(&world, &newest, now - chrono::Duration::days(days)).await);
    }
    let stray = permanence_domain::backup::dump_key(BackupId(uuid_at(now))).unwrap();
    world.storage().put(&stray, "application/octet-stream", vec![1]).await.unwrap();
    // The simulated clock decides how old what leads nowhere is: the store's is the machine's.
    world.clock.set(now + chrono::Duration::days(2));
    let keep = Keep { daily: 2, weekly: 0, monthly: 0 };
    let services =
        Services { backup: Some(Arc::new(BackupServices { keep, ..world.backup() })), ..world.services() };
    for expected in [[2, 1, 2], [0, 0, 2]] {
        let Outcome::Done(Some(told)) = RemoveBackups {}.perform(RUN, &services).await.unwrap() else {
            panic!("it is done")
        };
        assert_eq!([&told["removed"], &told["left"], &told["kept"]], expected, "{told}");
    }
    let kept: Vec<_> = list_manifests(&world.storage()).await.unwrap().iter().map(|found| found.id).collect();
    assert_eq!(kept, [placed[0], newest.id]);
    assert_eq!(files(&world).len(), 2);
}
