//! What goes wrong, and who waits for whom.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    db::Actor,
    exports::{ExportFormat, ExportKind, ExportStatus, Profile},
    field::{Label, Language},
    identity::{NewTenant, create_tenant},
    ids::TenantId,
    operations::{JobProgress, JobsTx, cancel_job, get_job},
};
use permanence_embedded::storage::StorageFault;
use sqlx::Connection;

use super::{ask, ask_as, count, file, objects, of, strange_patient, until, uploads};
use crate::support::{World, soon};

const NOW: &str = "2027-01-11T08:00:00Z";

/// How many jobs of a tenant are at work.
async fn running(world: &World, tenant: TenantId) -> usize {
    let mut tx = world.db.tenant(tenant, Actor::JOB).await.expect("a transaction");
    let running: i64 = sqlx::query_scalar("SELECT count(*) FROM queue.jobs WHERE state = 'running'")
        .fetch_one(tx.conn())
        .await
        .expect("a count");
    usize::try_from(running).expect("a count")
}

#[tokio::test]
async fn rows_of_one_moment_are_in_it_and_no_others() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    world.objects.faults().always(StorageFault::HoldAt("create_multipart_upload"));
    let export = ask(&world, &of(ExportKind::Patients, ExportFormat::Csv, Some(Profile::Rfc4180))).await;
    let pool = world.work_on("exports");
    let mut owner = sqlx::PgConnection::connect_with(&world.database.owner_options()).await.unwrap();
    let counted = async {
        // It has counted its rows and waits for the store.
        while !sqlx::query_scalar::<_, bool>(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                            AND state = 'idle in transaction' AND query LIKE 'SELECT count(*)%FROM patients p%')",
        )
        .fetch_one(&mut owner)
        .await
        .unwrap()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("counted", counted).await;
    strange_patient(&world, 1, "Late", "Too").await;
    world.objects.faults().clear();
    let export = until(&world, export.id, ExportStatus::Completed).await;
    assert_eq!(export.rows, Some(1));
    let text = String::from_utf8(file(&world, export.id).await).unwrap();
    assert!(text.contains("Garcia") && !text.contains("Late"), "{text}");
    pool.drain().await;
}

#[tokio::test]
async fn a_store_that_is_away_is_tried_again() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    world.objects.faults().always(StorageFault::Away);
    let export = ask(&world, &of(ExportKind::Patients, ExportFormat::Zip, None)).await;
    let pool = world.work_on("exports");
    let failed = async {
        loop {
            let mut tx = JobsTx::Own(world.begin().await);
            let job = get_job(&mut tx, export.job_id).await.unwrap();
            if job.state == "retryable" {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let job = soon("a failed attempt", failed).await;
    assert_eq!(job.errors[0]["code"], "unavailable");
    until(&world, export.id, ExportStatus::Queued).await;
    world.objects.faults().clear();
    world.clock.advance(Duration::from_secs(10));
    until(&world, export.id, ExportStatus::Completed).await;
    assert_eq!((objects(&world), uploads(&world).await), (1, 0));
    let mut tx = JobsTx::Own(world.begin().await);
    let job = get_job(&mut tx, export.job_id).await.unwrap();
    assert_eq!(job.progress, Some(JobProgress { done: 1, total: Some(1) }));
    assert_eq!(job.output, Some(serde_json::json!({ "export_id": export.id, "rows": 1 })));
    pool.drain().await;
}

#[tokio::test]
async fn a_cancelled_export_leaves_nothing() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    world.objects.faults().always(StorageFault::HoldAt("upload_part"));
    let export = ask(&world, &of(ExportKind::Patients, ExportFormat::Zip, None)).await;
    let pool = world.work_on("exports");
    count("uploads", 1, async || uploads(&world).await).await;
    let mut tx = JobsTx::Own(world.begin().await);
    cancel_job(&mut tx, export.job_id).await.unwrap();
    tx.commit().await.unwrap();
    until(&world, export.id, ExportStatus::Cancelled).await;
    world.until_idle().await;
    assert_eq!((objects(&world), uploads(&world).await), (0, 0));
    let mut tx = JobsTx::Own(world.begin().await);
    let job = get_job(&mut tx, export.job_id).await.unwrap();
    assert_eq!(job.state, "cancelled");
    // Whoever asks again within the minute gets a new one.
    let again = ask(&world, &of(ExportKind::Patients, ExportFormat::Zip, None)).await;
    assert_ne!(again.id, export.id);
    world.objects.faults().clear();
    until(&world, again.id, ExportStatus::Completed).await;
    pool.drain().await;
}

#[tokio::test]
async fn two_exports_of_a_practice_run_at_once_and_hold_up_no_other() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let other = NewTenant {
        kind: "practice",
        name: Label::parse("Port").unwrap(),
        time_zone: Tz::Europe__Paris,
        language: Language::Fr,
        phone: None,
        address: None,
    };
    let other = create_tenant(&mut tx, &other).await.unwrap();
    tx.commit().await.unwrap();
    world.objects.faults().always(StorageFault::HoldAt("upload_part"));
    let wanted = [
        of(ExportKind::Patients, ExportFormat::Zip, None),
        of(ExportKind::Patients, ExportFormat::Csv, None),
        of(ExportKind::Appointments, ExportFormat::Zip, None),
    ];
    let mut asked = Vec::new();
    for new in &wanted {
        asked.push(ask(&world, new).await.id);
    }
    let theirs = ask_as(&world, other, &wanted[0]).await;
    assert!(!asked.contains(&theirs.id), "the same question of another practice is another");
    let pool = world.work_on("exports");
    count("uploads", 3, async || uploads(&world).await).await;
    assert_eq!((running(&world, world.tenant).await, running(&world, other).await), (2, 1));
    until(&world, asked[2], ExportStatus::Queued).await;
    world.objects.faults().clear();
    for id in asked {
        until(&world, id, ExportStatus::Completed).await;
    }
    world.until_idle().await;
    assert_eq!((objects(&world), uploads(&world).await), (4, 0));
    pool.drain().await;
}
