//! How it ends: by its time, twice, refused by the store, with the process.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use chrono_tz::Tz;
use permanence_domain::{
    Error,
    access::jobs::WriteAccessFile,
    clock::{Clock, SimulatedClock, SystemClock},
    exports::{AREA, ExportStatus},
};
use permanence_embedded::storage::StorageFault;
use permanence_queue::NewJob;

use super::{SECRET, ask, content::handed_in, fetch, noted, stored, until};
use crate::support::{World, soon};

const NOW: &str = "2027-01-11T08:00:00Z";

#[tokio::test]
async fn a_day_later_neither_the_file_nor_its_key_is_there() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    noted(&world, SECRET).await;
    let pool = world.work_on("privacy");
    let request = ask(&world).await;
    until(&world, request.id, ExportStatus::Completed).await;
    world.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
    world.until_idle().await;
    fetch(&world, request.id).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let over = fetch(&world, request.id).await.unwrap_err();
    assert!(matches!(over, Error::Conflict { code: "access_file_over", .. }), "{over:?}");
    world.until_idle().await;
    assert!(stored(&world).await.is_empty());
    until(&world, request.id, ExportStatus::Expired).await;
    let mut owner = world.owner().await;
    let keys: Vec<(String, bool)> =
        sqlx::query_as("SELECT class, wrapped IS NULL FROM subject_keys ORDER BY class")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    assert_eq!(keys, [("care".to_owned(), false), ("personal".to_owned(), true)], "the record's stays");
    pool.drain().await;
}

#[tokio::test]
async fn the_job_run_twice_writes_one_file_and_the_same_question_is_one_request() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let (request, again) = (ask(&world).await, ask(&world).await);
    assert_eq!(request.id, again.id, "it is at work");
    let pool = world.work_on("privacy");
    let first = until(&world, request.id, ExportStatus::Completed).await;
    let mut tx = world.begin().await;
    tx.enqueue(NewJob::of(&WriteAccessFile { access_request_id: request.id }).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    world.until_idle().await;
    let second = until(&world, request.id, ExportStatus::Completed).await;
    assert_eq!((first.sha256, first.expires_at), (second.sha256, second.expires_at));
    assert_eq!(stored(&world).await.len(), 1);
    assert_ne!(ask(&world).await.id, request.id, "what is there is no longer what is known");
    pool.drain().await;
}

/// Waits until an attempt has failed.
async fn until_refused(world: &World) {
    let refused = async {
        let mut owner = world.owner().await;
        while !sqlx::query_scalar::<_, bool>(
            "SELECT EXISTS (SELECT FROM queue.jobs WHERE kind = 'access.write_access_file' AND state = 'retryable')",
        )
        .fetch_one(&mut owner)
        .await
        .unwrap()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("refused", refused).await;
}

#[tokio::test]
async fn a_store_that_refuses_is_tried_again_and_nothing_half_done_stays() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    world.objects.faults().always(StorageFault::Away);
    let pool = world.work_on("privacy");
    let request = ask(&world).await;
    until_refused(&world).await;
    assert!(matches!(
        fetch(&world, request.id).await,
        Err(Error::Conflict { code: "access_file_not_ready", .. })
    ));
    world.objects.faults().clear();
    world.clock.advance(Duration::from_mins(1));
    until(&world, request.id, ExportStatus::Completed).await;
    fetch(&world, request.id).await.unwrap();
    assert_eq!((stored(&world).await.len(), world.storage().list_uploads(AREA).await.unwrap().len()), (1, 0));
    pool.drain().await;
}

#[tokio::test]
async fn a_file_that_does_not_open_leaves_no_archive_that_looks_whole() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let (_, object) = handed_in(&world, &vec![7; 200_000]).await;
    let mut cut = world.storage().get(&object).await.unwrap();
    cut.truncate(100_000);
    world.storage().put(&object, "application/octet-stream", cut).await.unwrap();
    let request = ask(&world).await;
    let pool = world.work_on("privacy");
    until_refused(&world).await;
    let fetched = fetch(&world, request.id).await;
    assert!(matches!(fetched, Err(Error::Conflict { code: "access_file_not_ready", .. })), "{fetched:?}");
    assert_eq!((stored(&world).await.len(), world.storage().list_uploads(AREA).await.unwrap().len()), (0, 0));
    pool.drain().await;
}

#[tokio::test]
async fn a_killed_workers_file_is_written_anew_and_nothing_of_the_first_is_left() {
    let clock = Arc::new(SystemClock);
    let world = World::with_clock(Arc::new(SimulatedClock::at(clock.now())), clock.clone(), Tz::UTC).await;
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_privacy"))
            .env_clear()
            .envs(world.environment())
            .env("MASTER_KEYS", format!("test:{}", "0e".repeat(32)))
            .env("CERTIFICATE_KEY", "0d".repeat(32))
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts")
    };
    world.objects.faults().always(StorageFault::HoldAt("upload_part"));
    let request = ask(&world).await;
    let mut worker = start();
    let uploads = async || world.storage().list_uploads(AREA).await.expect("a list").len();
    let begun = async {
        let mut owner = world.owner().await;
        let noted = "SELECT count(upload_id) FROM exports";
        while sqlx::query_scalar::<_, i64>(noted).fetch_one(&mut owner).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("an upload", begun).await;
    worker.kill().expect("killed");
    worker.wait().expect("gone");
    assert_eq!((uploads().await, stored(&world).await.len()), (1, 0), "the dead one's");

    world.objects.faults().clear();
    let mut rescuer = start();
    until(&world, request.id, ExportStatus::Completed).await;
    rescuer.kill().expect("killed");
    rescuer.wait().expect("gone");
    assert_eq!((uploads().await, stored(&world).await.len()), (0, 1));
    fetch(&world, request.id).await.unwrap();
}
