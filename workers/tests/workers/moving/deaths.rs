//! Whoever dies, and wherever: each step of a migration, of its rollback and of the end of its files is cut off once, and who
//! comes after ends it exactly once.

use permanence_domain::{
    Error,
    ids::MigrationId,
    import::{
        self, MigrationStatus,
        jobs::{ClearMigration, ImportDump},
    },
    privacy::{ErasureStatus, jobs::EraseSubjects},
};
use permanence_queue::Outcome;
use permanence_workers::perform::{Perform, Run};

use super::{
    MOVED_IN, NOW, asked, counts, dump,
    ends::{DAY, ask_erasure, files},
    moved, performed, read, stored,
};
use crate::{erasure::erasure, support::World};

/// How many steps lie between one death and the next: each run of the test takes all of them in turn.
const STRIDE: usize = 7;

async fn world() -> World {
    World::at(NOW, chrono_tz::Tz::Europe__Paris).await
}

fn bytes() -> Vec<u8> {
    serde_json::to_vec(&dump()).unwrap()
}

async fn rolled_back(world: &World, id: MigrationId) {
    let mut tx = world.begin().await;
    import::rollback(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
}

fn run(world: &World) -> Run {
    Run { tenant: Some(world.tenant), last_attempt: false }
}

#[tokio::test]
async fn a_migration_that_dies_at_any_step_is_moved_in_once_by_the_next_run() {
    let world = world().await;
    let before = counts(&world).await;
    let services = world.services();
    let mut deaths = 0;
    loop {
        let id = asked(&world, &bytes(), false).await;
        let job = ImportDump { migration_id: id };
        let lived = world.dies_after(deaths * STRIDE, job.perform(run(&world), &services)).await;
        let after = counts(&world).await;
        let (moved_in, status) = (after[..5] == MOVED_IN[..5], read(&world, id).await.status);
        assert!(moved_in || after[..5] == before[..5], "half of it: {after:?}");
        assert_eq!(moved_in, status == MigrationStatus::Completed, "after {} steps", deaths * STRIDE);
        performed(&world, id).await.unwrap();
        assert_eq!(
            (read(&world, id).await.status, counts(&world).await),
            (MigrationStatus::Completed, MOVED_IN)
        );
        rolled_back(&world, id).await;
        assert_eq!(counts(&world).await, before);
        deaths += 1;
        if lived.is_some() {
            break;
        }
    }
    assert!(deaths > 5, "only {deaths} deaths: was anything cut off?");
}

#[tokio::test]
async fn a_rollback_that_dies_at_any_step_has_done_nothing_or_all() {
    let world = world().await;
    let before = counts(&world).await;
    let mut id = moved(&world, &dump()).await.migration_id;
    let mut deaths = 0;
    loop {
        let rollback = async {
            let mut tx = world.begin().await;
            import::rollback(&mut tx, id).await.unwrap();
            tx.commit().await.unwrap();
        };
        let lived = world.dies_after(deaths * STRIDE, rollback).await;
        let (status, after) = (read(&world, id).await.status, counts(&world).await);
        match status {
            MigrationStatus::Completed => assert_eq!(after, MOVED_IN, "after {} steps", deaths * STRIDE),
            MigrationStatus::RolledBack => {
                assert_eq!(after, before);
                // The commit had gone out: it is taken back, and comes again for the next death.
                id = moved(&world, &dump()).await.migration_id;
            }
            other => panic!("{other:?}"),
        }
        deaths += 1;
        if lived.is_some() {
            break;
        }
    }
    assert!(deaths > 1, "only {deaths} deaths: was anything cut off?");
}

#[tokio::test]
async fn files_that_end_are_gone_whenever_their_job_dies() {
    let world = world().await;
    let services = world.services();
    let mut deaths = 0;
    loop {
        let id = asked(&world, &bytes(), false).await;
        performed(&world, id).await.unwrap();
        let mut tx = world.begin().await;
        import::end_files(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
        let job = ClearMigration { migration_id: id };
        let lived = world.dies_after(deaths, job.perform(run(&world), &services)).await;
        job.perform(run(&world), &services).await.unwrap();
        assert!(read(&world, id).await.files_removed_at.is_some());
        assert_eq!(world.objects_of(world.tenant).await, []);
        deaths += STRIDE;
        if lived.is_some() {
            break;
        }
    }
}

#[tokio::test]
async fn an_erasure_that_dies_at_any_step_ends_the_dumps_and_is_certified_once() {
    let world = world().await;
    let services = world.services();
    let mut alone = dump();
    for table in ["appointments", "availability"] {
        alone[table] = serde_json::json!([]);
    }
    let mut deaths = 0;
    loop {
        // Erased, nobody is known any more: the same dump brings them once more.
        let id = asked(&world, &serde_json::to_vec(&alone).unwrap(), false).await;
        performed(&world, id).await.unwrap();
        let (erasure_id, _) = ask_erasure(&world, "p1").await;
        world.clock.advance(31 * DAY);
        let erasing = Box::pin(EraseSubjects {}.perform(run(&world), &services));
        let lived = world.dies_after(deaths * STRIDE, erasing).await;
        if erasure(&world, erasure_id).await.status == ErasureStatus::Completed {
            assert_eq!(files(&world).await, 0, "certified after {} steps", deaths * STRIDE);
        }
        let again = EraseSubjects {}.perform(run(&world), &services).await.unwrap();
        assert!(matches!(again, Outcome::Done(_)), "{again:?}");
        let done = erasure(&world, erasure_id).await;
        assert_eq!((done.status, files(&world).await), (ErasureStatus::Completed, 0), "{done:?}");
        let gone = |what: &str| {
            done.destroyed.iter().filter(|gone| gone.what == what).map(|gone| gone.count).sum::<i64>()
        };
        assert_eq!(
            [gone("data_migrations"), gone("migration_ids"), gone("objects/migrations")],
            [1, 2, 2],
            "{done:?}"
        );
        deaths += 1;
        if lived.is_some() {
            break;
        }
    }
    assert!(deaths > 5, "only {deaths} deaths: was anything cut off?");
}

#[tokio::test]
async fn two_runs_at_once_and_two_dumps_at_once_move_in_once() {
    let world = world().await;
    let before = counts(&world).await;
    let id = asked(&world, &bytes(), false).await;
    let (one, two) = tokio::join!(performed(&world, id), performed(&world, id));
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
    performed(&world, id).await.unwrap();
    assert_eq!(counts(&world).await, MOVED_IN);
    rolled_back(&world, id).await;
    assert_eq!(counts(&world).await, before);

    // The same dump asked for twice: whoever comes second finds all of it known, at once or when its job is tried again.
    let (first, second) = (asked(&world, &bytes(), false).await, asked(&world, &bytes(), false).await);
    let (one, two) = tokio::join!(performed(&world, first), performed(&world, second));
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
    let mut created = Vec::new();
    for id in [first, second] {
        performed(&world, id).await.unwrap();
        let ended = read(&world, id).await;
        assert_eq!(ended.status, MigrationStatus::Completed, "{ended:?}");
        created.push(ended.records_migrated);
    }
    created.sort_unstable();
    assert_eq!((created, counts(&world).await), (vec![0, 8], MOVED_IN));
}

#[tokio::test]
async fn a_dump_that_is_cut_off_or_changed_where_it_lies_is_never_moved_in() {
    let world = world().await;
    let before = counts(&world).await;
    for change in ["cut", "flipped", "gone"] {
        let id = asked(&world, &bytes(), false).await;
        let mut tx = world.begin().await;
        let object: String = sqlx::query_scalar("SELECT dump_object FROM data_migrations WHERE id = $1")
            .bind(id.0)
            .fetch_one(tx.conn())
            .await
            .unwrap();
        drop(tx);
        let object = permanence_domain::storage::ObjectKey::parse(&object).unwrap();
        let mut sealed = world.storage().get(&object).await.unwrap();
        match change {
            "cut" => sealed.truncate(sealed.len() / 2),
            "flipped" => *sealed.last_mut().unwrap() ^= 1,
            _ => {}
        }
        world.storage().remove(&object).await.unwrap();
        if change != "gone" {
            world.storage().put(&object, "application/octet-stream", sealed).await.unwrap();
        }
        assert!(performed(&world, id).await.is_err(), "{change}");
        assert_eq!(read(&world, id).await.status, MigrationStatus::Running, "{change}: it is tried again");
        let last = Run { last_attempt: true, ..run(&world) };
        let job = ImportDump { migration_id: id };
        assert!(job.perform(last, &world.services()).await.is_err());
        let given_up = read(&world, id).await;
        assert_eq!((given_up.status, counts(&world).await), (MigrationStatus::Failed, before), "{change}");
    }
    // Another migration's dump in its place does not open either.
    let id = asked(&world, &bytes(), false).await;
    let (other, _) = stored(&world, &bytes()).await;
    let mut owner = world.owner().await;
    sqlx::query("UPDATE data_migrations SET dump_object = $1 WHERE id = $2")
        .bind(other.as_str())
        .bind(id.0)
        .execute(&mut owner)
        .await
        .unwrap();
    let mixed = performed(&world, id).await;
    assert!(matches!(mixed, Err(Error::Internal(_))), "{mixed:?}");
}
