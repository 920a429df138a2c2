//! Pictures from the client's PUT to the store until nothing of them is left that should not be: whatever was sent, whoever dies,
//! and whenever the patient changes their mind. Files that were retracted, too.

use std::{io::Cursor, path::Path, time::Duration};

use chrono_tz::Tz;
use image::{DynamicImage, ImageFormat};
use permanence_domain::{
    Error,
    db::Actor,
    field::{Day, Whole},
    files::{
        self, FileKind, NewFile, Received,
        images::{self, Image, ImageMediaType, ImageStatus, Invitation, NewImage, Sha256},
        jobs::{ClearFile, ClearImage, SweepImages, TakeImage},
    },
    identity::Role,
    ids::ImageId,
    notifications::MessageStatus,
    patients::{NewConsents, NewPatient},
    picture::Picture,
    records::Clinical,
    storage::ObjectKey,
    vault::ContentKey,
};
use permanence_embedded::storage::StorageFault;
use permanence_queue::Outcome;
use permanence_workers::perform::{Perform, Run};
use sha2::Digest;

use crate::support::{World, by_sms, soon, vault};

fn picture(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    DynamicImage::new_rgb8(800, 600).write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

fn new_image(bytes: &[u8]) -> NewImage {
    NewImage {
        media_type: ImageMediaType::Jpeg,
        bytes: Whole::try_from(i64::try_from(bytes.len()).unwrap()).unwrap(),
        sha256: Some(Sha256(sha2::Sha256::digest(bytes).into())),
        taken_on: Day::parse("2027-01-03").unwrap(),
        title: Clinical::parse("Épaule", 200).unwrap(),
        body_part: None,
    }
}

fn consenting(imaging: bool) -> NewPatient {
    let consents = NewConsents { reminder_sms: true, reminder_email: false, imaging: Some(imaging) };
    NewPatient { consents, ..by_sms() }
}

/// A practice whose patient consents to pictures.
async fn world() -> World {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    world.reach(&consenting(true)).await;
    world
}

async fn invited(world: &World, new: &NewImage) -> Invitation {
    let mut tx = world.begin().await;
    let invitation = images::invite(&mut tx, &vault(), &world.storage(), world.patient, new).await.unwrap();
    tx.commit().await.unwrap();
    invitation
}

/// Where the client sends a picture.
fn upload(world: &World, id: ImageId) -> ObjectKey {
    ObjectKey::of("uploads", world.tenant, &id.to_string()).unwrap()
}

async fn completed(world: &World, id: ImageId) {
    let mut tx = world.begin().await;
    images::complete(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
}

/// Announces, sends and completes a picture.
async fn sent(world: &World, new: &NewImage, bytes: &[u8]) -> ImageId {
    let id = invited(world, new).await.id;
    world.storage().put(&upload(world, id), "image/jpeg", bytes.to_vec()).await.unwrap();
    completed(world, id).await;
    id
}

async fn read(world: &World, id: ImageId) -> Image {
    let mut tx = world.begin().await;
    let image = images::read(&mut tx, &vault(), id).await.unwrap();
    image.linked(&world.storage()).await.unwrap()
}

/// Waits until a picture stands so.
async fn until(world: &World, id: ImageId, what: &str, holds: impl Fn(&Image) -> bool) -> Image {
    let condition = async {
        loop {
            let image = read(world, id).await;
            if holds(&image) {
                return image;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(what, condition).await
}

/// Sends, and has the pool take it.
async fn taken(world: &World, new: &NewImage, bytes: &[u8]) -> Image {
    let id = sent(world, new, bytes).await;
    let pool = world.work_on("stock");
    let image = until(world, id, "taken", |image| image.status != ImageStatus::Checking).await;
    pool.drain().await;
    image
}

/// How many objects of an area there are.
fn objects(world: &World, area: &str) -> usize {
    fn files(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
    }
    files(&world.objects.bucket_folder("permanence").join(area))
}

/// Objects of uploads, pictures and thumbnails.
fn all(world: &World) -> [usize; 3] {
    ["uploads", "images", "thumbnails"].map(|area| objects(world, area))
}

async fn perform(world: &World, job: impl Perform) -> Outcome {
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    job.perform(run, &world.services()).await.unwrap()
}

#[tokio::test]
async fn a_picture_is_taken_and_what_the_client_sent_is_removed_as_often_as_it_can_come() {
    let world = world().await;
    let bytes = picture(ImageFormat::Jpeg);
    let image = taken(&world, &new_image(&bytes), &bytes).await;
    assert_eq!((image.status, image.reason.as_deref()), (ImageStatus::Available, None));
    assert!(image.links.is_some_and(|links| links.thumbnail.is_some()));
    assert_eq!(all(&world), [1, 1, 1]);

    let pool = world.work_on("privacy");
    soon("cleared", async {
        while objects(&world, "uploads") > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    world.until_idle_on(Some("privacy")).await;
    // The link lives on: what comes by it later is never shown, and goes too.
    world.storage().put(&upload(&world, image.id), "image/jpeg", b"another".to_vec()).await.unwrap();
    world.clock.advance(Duration::from_mins(20));
    soon("cleared again", async {
        while objects(&world, "uploads") > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    world.until_idle_on(Some("privacy")).await;
    pool.drain().await;
    let mut tx = world.begin().await;
    let row: (String, String, Vec<String>) =
        sqlx::query_as("SELECT object_key, thumbnail_key, leftovers FROM images")
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!(row.2, [""; 0]);
    assert_eq!(world.storage().get(&ObjectKey::parse(&row.0).unwrap()).await.unwrap(), bytes);
    let thumbnail = world.storage().get(&ObjectKey::parse(&row.1).unwrap()).await.unwrap();
    let thumbnail = Picture::read(&thumbnail).unwrap();
    assert_eq!(
        (thumbnail.media_type, thumbnail.pixels.width(), thumbnail.pixels.height()),
        ("image/jpeg", 320, 240)
    );
}

#[tokio::test]
async fn what_is_not_what_was_announced_is_refused_and_removed() {
    let world = world().await;
    let (jpeg, png) = (picture(ImageFormat::Jpeg), picture(ImageFormat::Png));
    let mut flipped = jpeg.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cut = &jpeg[..jpeg.len() / 2];
    let unhashed = |bytes: &[u8]| NewImage { sha256: None, ..new_image(bytes) };
    let mut refused = Vec::new();
    for (new, bytes) in [
        (new_image(&jpeg), &jpeg[1..]),
        (new_image(&jpeg), &flipped[..]),
        (unhashed(&png), &png[..]),
        (unhashed(cut), cut),
        (unhashed(b"GIF89a"), b"GIF89a"),
    ] {
        let image = taken(&world, &new, bytes).await;
        assert_eq!((image.status, image.links.is_none()), (ImageStatus::Refused, true));
        refused.push(image.reason.unwrap());
    }
    assert_eq!(refused, ["wrong_size", "wrong_hash", "wrong_type", "not_a_picture", "not_a_picture"]);
    let never = invited(&world, &new_image(&jpeg)).await.id;
    completed(&world, never).await;
    assert!(matches!(perform(&world, TakeImage { image_id: never }).await, Outcome::Done(None)));
    assert_eq!(read(&world, never).await.reason.as_deref(), Some("not_uploaded"));
    let pool = world.work_on("privacy");
    world.until_idle_on(Some("privacy")).await;
    pool.drain().await;
    assert_eq!(all(&world), [0, 0, 0]);
}

#[tokio::test]
async fn whoever_withdraws_their_consent_is_shown_no_more_and_reminded_no_more() {
    let world = world().await;
    let bytes = picture(ImageFormat::Jpeg);
    let kept = taken(&world, &new_image(&bytes), &bytes).await.id;
    let awaited = invited(&world, &new_image(&bytes)).await.id;
    let checking = sent(&world, &new_image(&bytes), &bytes).await;
    let appointment = world.book("2027-01-15T10:00:00").await;
    assert_eq!(world.log(appointment).await[0].message.status, MessageStatus::Planned);

    world
        .reach(&NewPatient {
            consents: NewConsents { imaging: Some(false), ..NewConsents::default() },
            ..by_sms()
        })
        .await;
    let log = world.log(appointment).await;
    assert!(
        log.iter().all(|log| log.message.status == MessageStatus::Cancelled),
        "no reminder without consent"
    );
    for id in [awaited, checking] {
        let image = read(&world, id).await;
        assert_eq!(image.reason.as_deref(), Some("consent_withdrawn"));
    }
    assert!(matches!(perform(&world, TakeImage { image_id: checking }).await, Outcome::Done(None)));
    let pool = world.work_on("privacy");
    world.until_idle_on(Some("privacy")).await;
    pool.drain().await;
    assert_eq!(all(&world), [0, 1, 0], "the law keeps the picture, and nothing else is kept");
    let image = read(&world, kept).await;
    assert_eq!((image.status, image.links.is_none()), (ImageStatus::Available, true));
    let mut tx = world.begin().await;
    let refused =
        images::invite(&mut tx, &vault(), &world.storage(), world.patient, &new_image(&bytes)).await;
    assert!(matches!(refused, Err(Error::Conflict { code: "imaging_not_consented", .. })), "{refused:?}");
    tx.rollback().await.unwrap();

    // Given again, what was kept can be seen, with a new thumbnail.
    world.reach(&consenting(true)).await;
    let pool = world.work_on("stock");
    let seen = |image: &Image| image.links.as_ref().is_some_and(|links| links.thumbnail.is_some());
    until(&world, kept, "seen again", seen).await;
    pool.drain().await;
    assert_eq!(all(&world), [0, 1, 1]);
}

#[tokio::test]
async fn each_job_done_twice_has_one_effect() {
    let world = world().await;
    let bytes = picture(ImageFormat::Jpeg);
    let id = sent(&world, &new_image(&bytes), &bytes).await;
    for _ in 0..2 {
        assert!(matches!(perform(&world, TakeImage { image_id: id }).await, Outcome::Done(None)));
    }
    assert_eq!(all(&world), [1, 1, 1]);
    world.clock.advance(Duration::from_hours(1));
    for _ in 0..2 {
        assert!(matches!(perform(&world, ClearImage { image_id: id }).await, Outcome::Done(None)));
    }
    assert_eq!((all(&world), read(&world, id).await.status), ([0, 1, 1], ImageStatus::Available));
}

#[tokio::test]
async fn a_worker_that_dies_while_it_writes_leaves_nothing_behind() {
    let world = world().await;
    let bytes = picture(ImageFormat::Jpeg);
    let id = sent(&world, &new_image(&bytes), &bytes).await;
    // It begins, writes, and dies before it can say so: as if its transaction never came.
    let mut tx = world.begin().await;
    let dead = images::begin(&mut tx, id).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    for key in [dead.object.as_ref().unwrap(), &dead.thumbnail] {
        world.storage().put(key, "image/jpeg", bytes.clone()).await.unwrap();
    }
    let pool = world.work_on("stock");
    until(&world, id, "taken by another", |image| image.status == ImageStatus::Available).await;
    pool.drain().await;
    assert_eq!(all(&world), [1, 2, 2]);
    // It was not dead after all: it can end nothing any more.
    let taken = images::Taken { sha256: vec![0; 32] };
    let mut tx = world.begin().await;
    assert!(!images::available(&mut tx, &dead, &taken).await.unwrap());
    tx.rollback().await.unwrap();
    world.clock.advance(Duration::from_hours(1));
    let pool = world.work_on("privacy");
    world.until_idle_on(Some("privacy")).await;
    pool.drain().await;
    assert_eq!(all(&world), [0, 1, 1]);
}

#[tokio::test]
async fn a_killed_pools_picture_is_taken_by_the_next() {
    let world = world().await;
    let bytes = picture(ImageFormat::Jpeg);
    let id = sent(&world, &new_image(&bytes), &bytes).await;
    world.objects.faults().always(StorageFault::HoldAt("put_object"));
    let pool = world.work_on("stock");
    soon("begun", async {
        loop {
            let mut tx = world.begin().await;
            let run: i32 = sqlx::query_scalar("SELECT run FROM images").fetch_one(tx.conn()).await.unwrap();
            if run > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    pool.kill().await;
    world.objects.faults().clear();
    let pool = world.work_on("stock");
    let rescued = async {
        loop {
            // The dead one's heartbeat is missed by the clock that tests move.
            world.clock.advance(Duration::from_secs(5));
            if read(&world, id).await.status == ImageStatus::Available {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("taken", rescued).await;
    pool.drain().await;
}

#[tokio::test]
async fn a_store_that_is_away_costs_an_attempt_and_no_picture() {
    let world = world().await;
    let bytes = picture(ImageFormat::Jpeg);
    let id = sent(&world, &new_image(&bytes), &bytes).await;
    world.objects.faults().always(StorageFault::Away);
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    let failed = TakeImage { image_id: id }.perform(run, &world.services()).await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    assert_eq!(read(&world, id).await.status, ImageStatus::Checking);
    world.objects.faults().clear();
    assert!(matches!(perform(&world, TakeImage { image_id: id }).await, Outcome::Done(None)));
    assert_eq!(read(&world, id).await.status, ImageStatus::Available);
}

#[tokio::test]
async fn what_never_came_to_its_end_is_given_up_after_a_day() {
    let world = world().await;
    let bytes = picture(ImageFormat::Jpeg);
    let (awaited, checking) =
        (invited(&world, &new_image(&bytes)).await.id, sent(&world, &new_image(&bytes), &bytes).await);
    world.clock.advance(Duration::from_hours(23));
    perform(&world, SweepImages {}).await;
    assert_eq!(read(&world, awaited).await.status, ImageStatus::Awaiting);
    world.clock.advance(Duration::from_hours(2));
    let swept = perform(&world, SweepImages {}).await;
    assert_eq!(swept, Outcome::Done(Some(serde_json::json!({ "given_up": 2 }))));
    for (id, reason) in [(awaited, "never_completed"), (checking, "never_checked")] {
        assert_eq!(read(&world, id).await.reason.as_deref(), Some(reason));
    }
    let pool = world.work_on("privacy");
    world.until_idle_on(Some("privacy")).await;
    pool.drain().await;
    assert_eq!(all(&world), [0, 0, 0]);
}

#[tokio::test]
async fn a_retracted_file_of_the_practices_own_is_removed_and_a_patients_is_kept() {
    let world = world().await;
    let mut ids = Vec::new();
    for patient_id in [None, Some(world.patient)] {
        let (key, mut sealed) = (ContentKey::random().unwrap(), Vec::new());
        key.seal(&b"%PDF-"[..], &mut sealed).unwrap();
        let object = ObjectKey::of(files::AREA, world.tenant, &uuid::Uuid::new_v4().to_string()).unwrap();
        world.storage().put(&object, "application/octet-stream", sealed).await.unwrap();
        let received = Received { object: &object, media_type: "application/pdf", bytes: 5, key: &key };
        let mut tx = world.db.tenant(world.tenant, Actor::JOB).await.unwrap();
        let new = NewFile { kind: FileKind::Document, patient_id };
        let id = files::keep(&mut tx, Role::Practitioner, &vault(), new, &received).await.unwrap().id;
        let role = if patient_id.is_some() { Role::Practitioner } else { Role::Admin };
        assert!(files::leftover(&mut tx, id).await.unwrap().is_none(), "not yet");
        files::retract(&mut tx, role, id).await.unwrap();
        tx.commit().await.unwrap();
        ids.push(id);
    }
    assert_eq!(objects(&world, "files"), 2);
    for _ in 0..2 {
        for file_id in &ids {
            assert!(matches!(perform(&world, ClearFile { file_id: *file_id }).await, Outcome::Done(None)));
        }
        assert_eq!(objects(&world, "files"), 1);
    }
    let mut tx = world.begin().await;
    let cleared: i64 =
        sqlx::query_scalar("SELECT count(cleared_at) FROM files").fetch_one(tx.conn()).await.unwrap();
    assert_eq!(cleared, 1);
}
