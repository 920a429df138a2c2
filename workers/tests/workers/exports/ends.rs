//! How exports end: by their time, by a person, by the sweep.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    clock::Clock,
    db::Actor,
    error::Error,
    exports::{
        self, ExportFormat, ExportKind, ExportStatus,
        jobs::{ClearExport, SweepExports},
    },
    field::Flag,
    ids::{ExportId, uuid_at},
    inventory::import::{self, ImportMode, ImportOptions},
    storage::ObjectKey,
};
use permanence_embedded::storage::StorageFault;
use permanence_queue::{Failure, JobId, Outcome};
use permanence_workers::perform::{Perform, Run};

use super::{ask, count, noted, objects, of, until, uploads};
use crate::support::{World, soon};

const NOW: &str = "2027-01-11T08:00:00Z";

async fn status(link: &str) -> u16 {
    // Plain HTTP here, but the client wants a TLS provider to be named; a second test finds it named.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    client.get(link).send().await.expect("an answer").status().as_u16()
}

/// An export that is there, and a link to it.
async fn linked(world: &World) -> (ExportId, String) {
    let export = ask(world, &of(ExportKind::Patients, ExportFormat::Zip, None)).await;
    until(world, export.id, ExportStatus::Completed).await;
    let mut tx = world.begin().await;
    let file = exports::download(&mut tx, export.id).await.expect("linked");
    tx.commit().await.expect("linked");
    assert_eq!(file.file_name, "patients-2027-01-11.zip");
    assert!(file.life <= Duration::from_hours(24));
    let link = world.storage().link(&file.key, &file.file_name, file.life).await.expect("linked");
    assert_eq!((status(&link).await, objects(world)), (200, 1));
    (export.id, link)
}

#[tokio::test]
async fn a_day_later_the_file_is_gone_and_its_link_dead() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let (writing, clearing) = (world.work_on("exports"), world.work_on("privacy"));
    let (id, link) = linked(&world).await;
    world.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
    world.until_idle().await;
    assert_eq!((status(&link).await, objects(&world)), (200, 1), "not a second early");
    world.clock.advance(Duration::from_secs(1));
    world.until_idle().await;
    assert_eq!((status(&link).await, objects(&world)), (404, 0));
    let export = until(&world, id, ExportStatus::Expired).await;
    assert!(export.rows.is_some() && export.sha256.is_some(), "what it was is still told");
    let mut tx = world.begin().await;
    let over = exports::download(&mut tx, id).await.unwrap_err();
    assert!(matches!(over, Error::Conflict { code: "export_over", .. }), "{over:?}");
    // The job run twice has one effect.
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    let again = ClearExport { export_id: id }.perform(run, &world.services()).await.unwrap();
    assert_eq!(again, Outcome::Done(None));
    writing.drain().await;
    clearing.drain().await;
}

#[tokio::test]
async fn an_export_that_somebody_removes_is_gone_at_once() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let (writing, clearing) = (world.work_on("exports"), world.work_on("privacy"));
    let (id, link) = linked(&world).await;
    let mut tx = world.begin().await;
    exports::remove(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    count("objects", 0, async || objects(&world)).await;
    assert_eq!(status(&link).await, 404);
    let mut tx = world.begin().await;
    for gone in [exports::get(&mut tx, id).await.map(drop), exports::remove(&mut tx, id).await] {
        assert!(matches!(gone, Err(Error::NotFound("export"))), "{gone:?}");
    }
    // Its job of the day after finds nothing to do.
    world.clock.advance(Duration::from_hours(25));
    world.until_idle().await;
    writing.drain().await;
    clearing.drain().await;
}

#[tokio::test]
async fn removing_an_export_that_is_written_leaves_nothing() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    world.objects.faults().always(StorageFault::HoldAt("upload_part"));
    let (writing, clearing) = (world.work_on("exports"), world.work_on("privacy"));
    let export = ask(&world, &of(ExportKind::Patients, ExportFormat::Zip, None)).await;
    count("uploads", 1, async || uploads(&world).await).await;
    let mut tx = world.begin().await;
    exports::remove(&mut tx, export.id).await.unwrap();
    tx.commit().await.unwrap();
    count("uploads", 0, async || uploads(&world).await).await;
    world.objects.faults().clear();
    world.clock.advance(Duration::from_secs(10));
    world.until_idle().await;
    assert_eq!((objects(&world), uploads(&world).await), (0, 0));
    writing.drain().await;
    clearing.drain().await;
}

#[tokio::test]
async fn what_no_job_would_clear_is_found_by_the_sweep() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let storage = world.storage();
    // Begun by a process that died before it could note it.
    let lost = ObjectKey::of(exports::AREA, world.tenant, &format!("{}-1.zip", uuid_at(world.clock.now())));
    storage.begin_upload(&lost.unwrap(), "application/zip").await.unwrap();
    // Its job was given up by a person while its attempt had an upload.
    let export = ask(&world, &of(ExportKind::Patients, ExportFormat::Zip, None)).await;
    world.objects.faults().always(StorageFault::HoldAt("upload_part"));
    let pool = world.work_on("exports");
    count("noted uploads", 1, async || noted(&world).await).await;
    pool.kill().await;
    world.objects.faults().clear();
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    sqlx::query(
        "UPDATE queue.jobs SET state = 'available', process_id = NULL, lease = NULL, started_at = NULL",
    )
    .execute(tx.conn())
    .await
    .unwrap();
    let clock = tx.clock();
    let given_up = Failure::new("discarded_by_hand", "a person decided");
    assert!(permanence_queue::discard(tx.conn(), &*clock, JobId(export.job_id), given_up).await.unwrap());
    tx.commit().await.unwrap();

    let run = Run { tenant: None, last_attempt: false };
    let swept = async || SweepExports {}.perform(run, &world.services()).await.unwrap();
    let told = |found, uploads| {
        Outcome::Done(Some(serde_json::json!({
            "found": found, "forgotten": 0, "uploads_aborted": uploads, "files_removed": 0,
        })))
    };
    assert_eq!(swept().await, told(0, 1), "the unknown upload; the export has its time");
    world.clock.advance(Duration::from_mins(16));
    assert_eq!(swept().await, told(1, 0));
    let clearing = world.work_on("privacy");
    world.until_idle().await;
    let failed = until(&world, export.id, ExportStatus::Failed).await;
    assert_eq!(failed.failure.as_deref(), Some("job_discarded"));
    soon("cleared", async { assert_eq!((objects(&world), uploads(&world).await), (0, 0)) }).await;
    assert_eq!(swept().await, told(0, 0), "once is enough");
    world.clock.advance(Duration::from_hours(24 * 91));
    let forgotten = swept().await;
    assert!(matches!(&forgotten, Outcome::Done(Some(told)) if told["forgotten"] == 1), "{forgotten:?}");
    clearing.drain().await;
}

#[tokio::test]
async fn files_that_no_row_wants_are_removed_and_no_others() {
    // The store has a clock of its own: by it nothing is old yet.
    let world = World::at("2020-01-06T08:00:00Z", Tz::Europe__Paris).await;
    let storage = world.storage();
    // More than a page of the store's list.
    let names: Vec<String> = (0..1_003).map(|number| format!("{number:04}.csv")).collect();
    for name in &names {
        let key = ObjectKey::of(import::AREA, world.tenant, name).unwrap();
        storage.put(&key, "text/csv", b"x".to_vec()).await.unwrap();
    }
    let wanted = ObjectKey::of(import::AREA, world.tenant, &names[500]).unwrap();
    let options = ImportOptions {
        mode: ImportMode::Receive,
        dry_run: Flag::default(),
        mapping: import::Mapping::default(),
    };
    let mut tx = world.begin().await;
    import::request_import(&mut tx, &options, &wanted, 1).await.unwrap();
    tx.commit().await.unwrap();
    let run = Run { tenant: None, last_attempt: false };
    let removed = async || {
        let told = SweepExports {}.perform(run, &world.services()).await.unwrap();
        let Outcome::Done(Some(told)) = told else { panic!("{told:?}") };
        told["files_removed"].as_u64().unwrap()
    };
    assert_eq!(removed().await, 0, "a request may be about to note them");
    world.clock.set(NOW.parse().unwrap());
    assert_eq!(removed().await, 1_002);
    assert_eq!(storage.get(&wanted).await.unwrap(), b"x");
    assert_eq!(removed().await, 0, "once is enough");
    let mut tx = world.begin().await;
    sqlx::query("UPDATE inventory_imports SET status = 'failed', finished_at = created_at")
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(removed().await, 1, "its import has ended and left it");
}
