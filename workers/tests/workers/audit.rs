//! Sealing, anchoring and forgetting as jobs, with a real object store: twice, without the store, with a death in between, and
//! with somebody else's object in the way.

use chrono::TimeDelta;
use chrono_tz::Tz;
use permanence_domain::{
    audit::{
        self,
        jobs::{ForgetEntries, SealEntries},
        next_anchor, read_anchors, read_trail, seal_batch, set_fence,
        verify::{Report, Verifier},
    },
    clock::{Clock, SystemClock},
    config::{Secret, StorageConfig},
    db::Actor,
    error::Result,
    storage::Storage,
};
use permanence_queue::{JobId, NewJob, Outcome};
use permanence_workers::{
    perform::{Perform, Run},
    services::Services,
};
use serde_json::{Value, json};

use crate::support::World;

const RUN: Run = Run { tenant: None, last_attempt: false };

async fn world() -> World {
    World::at("2027-01-04T08:00:00Z", Tz::Europe__Paris).await
}

async fn act(world: &World, count: usize) {
    let mut tx = world.begin().await;
    for _ in 0..count {
        audit::record(&mut tx, "patient.update", "patient", world.patient.0).await.expect("recorded");
    }
    tx.commit().await.expect("committed");
}

/// Runs the job until all is sealed: transactions of other tests may hold it up.
async fn seal(world: &World, services: &Services) -> Result<Vec<Value>> {
    let mut told = Vec::new();
    loop {
        let Outcome::Done(Some(output)) = SealEntries {}.perform(RUN, services).await? else {
            panic!("it is done")
        };
        told.push(output);
        let mut tx = world.db.system(Actor::JOB).await?;
        let more = set_fence(&mut tx).await?;
        tx.rollback().await?;
        if !more {
            return Ok(told);
        }
    }
}

async fn verify(world: &World) -> Report {
    let mut verifier = Verifier::new(world.clock.now().max(SystemClock.now()), TimeDelta::minutes(10), None);
    verifier.read_anchors();
    read_anchors(&world.storage(), |number, bytes| verifier.anchor(number, bytes)).await.expect("read");
    read_trail(&world.db, None, |line| -> Result<()> {
        verifier.line(line);
        Ok(())
    })
    .await
    .expect("read");
    verifier.finish()
}

#[tokio::test]
async fn a_run_seals_and_anchors_and_a_second_finds_nothing() {
    let world = world().await;
    let services = world.services();
    seal(&world, &services).await.expect("sealed");
    act(&world, 3).await;
    let told = seal(&world, &services).await.expect("sealed");
    let sum = |what: &str| told.iter().map(|output| output[what].as_i64().expect("a count")).sum::<i64>();
    assert_eq!((sum("entries"), sum("seals"), sum("anchors")), (3, 1, 1), "{told:?}");
    let again = seal(&world, &services).await.expect("sealed");
    assert_eq!(again, [json!({ "entries": 0, "seals": 0, "anchors": 0 })]);
    let report = verify(&world).await;
    assert!(report.is_sound() && report.anchors == Some(2) && report.waiting == 0, "{report:#?}");
}

#[tokio::test]
async fn the_pool_performs_it_through_the_queue() {
    let world = world().await;
    let mut tx = world.db.system(Actor::JOB).await.expect("a transaction");
    let job: JobId = tx.enqueue(NewJob::of(&SealEntries {}).expect("a job")).await.expect("enqueued").id;
    tx.enqueue(NewJob::of(&ForgetEntries {}).expect("a job")).await.expect("enqueued");
    tx.commit().await.expect("committed");
    let pool = world.work_on("privacy");
    world.until_idle_on(Some("privacy")).await;
    pool.drain().await;
    let mut owner = world.owner().await;
    let (state, output): (String, Value) =
        sqlx::query_as("SELECT state::text, output FROM queue.job_history WHERE id = $1")
            .bind(job.0)
            .fetch_one(&mut owner)
            .await
            .expect("the job");
    assert_eq!(state, "completed");
    assert!(output["seals"].is_i64(), "{output}");
}

#[tokio::test]
async fn without_the_store_it_seals_and_the_next_run_anchors() {
    let world = world().await;
    let mut nowhere = world.services();
    nowhere.anchors = Some(Storage::new(&StorageConfig {
        endpoint: "http://127.0.0.1:9".parse().expect("a URL"),
        region: "us-east-1".to_owned(),
        bucket: "permanence".to_owned(),
        access_key: "k".to_owned(),
        secret_key: Secret::new("k"),
    }));
    assert!(seal(&world, &nowhere).await.is_err());
    act(&world, 2).await;
    seal(&world, &world.services()).await.expect("sealed");
    let report = verify(&world).await;
    assert!(report.is_sound() && report.waiting == 0, "{report:#?}");
    assert!(report.anchors > Some(0), "{report:#?}");
}

#[tokio::test]
async fn an_anchor_that_was_put_and_not_noted_is_noted_by_the_next_run() {
    let world = world().await;
    let services = world.services();
    seal(&world, &services).await.expect("sealed");
    act(&world, 2).await;
    // As a run that dies after the put.
    let mut sealed = false;
    while !sealed {
        let mut tx = world.db.system(Actor::JOB).await.expect("a transaction");
        set_fence(&mut tx).await.expect("a fence");
        tx.commit().await.expect("committed");
        let mut tx = world.db.system(Actor::JOB).await.expect("a transaction");
        sealed = seal_batch(&mut tx, 10_000).await.expect("sealed").is_some_and(|batch| batch.entries > 0);
        tx.commit().await.expect("committed");
    }
    let mut tx = world.db.system(Actor::JOB).await.expect("a transaction");
    let anchor = next_anchor(&mut tx).await.expect("an answer").expect("an anchor");
    tx.rollback().await.expect("rolled back");
    let (key, bytes) = (anchor.key().expect("a key"), anchor.to_bytes().expect("bytes"));
    let storage = world.storage();
    assert!(storage.put_new(&key, "application/json", bytes.clone()).await.expect("put"));
    assert!(
        !storage.put_new(&key, "application/json", b"other".to_vec()).await.expect("put"),
        "never replaced"
    );
    // Meanwhile the chain goes on, and the next run would make another anchor.
    world.clock.advance(std::time::Duration::from_mins(1));
    act(&world, 1).await;
    seal(&world, &services).await.expect("sealed");
    assert_eq!(storage.get(&key).await.expect("the object"), bytes);
    let report = verify(&world).await;
    assert!(report.is_sound() && report.waiting == 0, "{report:#?}");
    assert_eq!(report.anchors, Some(3));
}

#[tokio::test]
async fn an_object_in_the_way_that_is_not_ours_stops_it() {
    let world = world().await;
    let key = audit::anchor_key(1).expect("a key");
    world.storage().put(&key, "application/json", b"{}".to_vec()).await.expect("put");
    assert!(seal(&world, &world.services()).await.is_err());
    assert_eq!(world.storage().get(&key).await.expect("the object"), b"{}", "it stays as it is");
    let report = verify(&world).await;
    assert!(!report.is_sound());
}
