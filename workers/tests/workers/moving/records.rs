//! Medical records of a dump: who wrote them and when stays, what they say is sealed from the first moment on, and goes with a
//! rollback.

use chrono::{DateTime, Utc};
use permanence_domain::{
    db::TenantTx,
    ids::{MedicalRecordId, PatientId, UserId, uuid_at},
    import::{self, MigrationStatus},
    records::{self, Record},
};
use uuid::Uuid;

use super::{MOVED_IN, NOW, asked, counts, dump, moved, performed, read};
use crate::{
    erasure::stands,
    support::{World, vault},
};

async fn new_id(tx: &mut TenantTx, collection: &str, old_id: &str) -> Uuid {
    sqlx::query_scalar("SELECT new_id FROM migration_ids WHERE collection = $1 AND old_id = $2")
        .bind(collection)
        .bind(old_id)
        .fetch_one(tx.conn())
        .await
        .unwrap()
}

async fn record(tx: &mut TenantTx, old_id: &str, version: Option<i32>) -> Record {
    let id = MedicalRecordId(new_id(tx, "medical_records", old_id).await);
    records::read(tx, &vault(), id, version).await.unwrap()
}

#[tokio::test]
async fn a_record_keeps_its_dates_its_author_and_what_it_said_before() {
    let world = World::at(NOW, chrono_tz::Tz::Europe__Paris).await;
    let user = UserId(uuid_at("2026-01-01T00:00:00Z".parse().unwrap()));
    let mut owner = world.owner().await;
    for statement in [
        "INSERT INTO users (id, email, created_at) SELECT $1, 'camille@lilas.example', now() FROM tenants WHERE id = $2",
        "INSERT INTO memberships (tenant_id, user_id, role, full_name, created_at, accepted_at)
         VALUES ($2, $1, 'practitioner', 'Camille Roy', now(), now())",
        "UPDATE practitioners SET user_id = $1 WHERE tenant_id = $2",
    ] {
        sqlx::query(statement).bind(user.0).bind(world.tenant.0).execute(&mut owner).await.unwrap();
    }
    moved(&world, &dump()).await;
    let mut tx = world.begin().await;
    let present = record(&mut tx, "m1", None).await;
    let summary = &present.summary;
    assert_eq!(
        (summary.title.expose(), present.content.expose()),
        ("Épaule gelée", "Récupère après l'accident")
    );
    assert_eq!((summary.version, summary.occurred_on.to_string()), (2, "2026-12-01".to_owned()));
    let moments = [summary.created_at, summary.updated_at, summary.imported_at.unwrap()];
    let told = ["2026-12-01T10:30:00Z", "2026-12-03T09:00:00Z", NOW];
    assert_eq!(moments, told.map(|moment| moment.parse::<DateTime<Utc>>().unwrap()));
    assert_eq!((summary.created_by, summary.updated_by), (Some(user), Some(user)));
    assert_eq!(summary.practitioner_id, Some(world.practitioner));
    assert_eq!(summary.patient_id, PatientId(new_id(&mut tx, "patients", "p1").await));
    let before = record(&mut tx, "m1", Some(1)).await;
    assert_eq!((before.summary.title.expose(), before.content.expose()), ("Épaule", "Douleur vive"));

    // Of an author whom nobody knows it is told that it was moved in; where no moment is, its day is one.
    let other = record(&mut tx, "9", None).await.summary;
    assert_eq!((other.updated_by, other.practitioner_id, other.imported_at.is_some()), (None, None, true));
    assert_eq!(other.updated_at, "2026-11-01T23:00:00Z".parse::<DateTime<Utc>>().unwrap());
    // It can be written anew like any other, and the list goes by when it was written.
    let of_zoe = records::list(&mut tx, &vault(), summary.patient_id, &records::RecordQuery::default()).await;
    assert_eq!(of_zoe.unwrap().items.len(), 1);
    let trail: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'medical_record.import'")
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!(trail, 2);
    tx.commit().await.unwrap();
    for text in ["gelée", "Douleur", "particularité"] {
        assert_eq!(stands(&world, text).await, Vec::<String>::new(), "{text}");
    }
}

#[tokio::test]
async fn what_is_medical_waits_sealed_and_a_dead_runs_stage_opens_to_nobody() {
    let world = World::at(NOW, chrono_tz::Tz::Europe__Paris).await;
    let id = asked(&world, &serde_json::to_vec(&dump()).unwrap(), false).await;
    // Somebody holds the practitioner for whom it books: the run stops in the middle of its transaction, all of it staged.
    let mut owner = world.owner().await;
    sqlx::raw_sql("BEGIN; SELECT id FROM practitioners FOR UPDATE").execute(&mut owner).await.unwrap();
    let run = performed(&world, id);
    let mut looking = world.owner().await;
    let staged = async {
        while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_locks WHERE NOT granted")
            .fetch_one(&mut looking)
            .await
            .unwrap()
            == 0
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        ended = run => panic!("it went past the lock: {ended:?}"),
        () = crate::support::soon("it waits", staged) => {}
    }
    assert_eq!(counts(&world).await[5], 8, "all is staged");
    for text in ["gelée", "Douleur", "particularité"] {
        assert_eq!(stands(&world, text).await, Vec::<String>::new(), "{text}");
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut owner).await.unwrap();
    performed(&world, id).await.unwrap();
    assert_eq!((read(&world, id).await.status, counts(&world).await), (MigrationStatus::Completed, MOVED_IN));
}

#[tokio::test]
async fn a_rollback_takes_the_records_and_their_keys_unless_somebody_wrote_since() {
    let world = World::at(NOW, chrono_tz::Tz::Europe__Paris).await;
    let before = counts(&world).await;
    let first = moved(&world, &dump()).await;
    let mut tx = world.begin().await;
    let changed = record(&mut tx, "m1", None).await;
    let anew = records::NewRecord {
        kind: changed.summary.kind,
        occurred_on: permanence_domain::field::Day(changed.summary.occurred_on),
        title: changed.summary.title.clone(),
        content: changed.content.clone(),
    };
    records::update(&mut tx, &vault(), changed.summary.id, 2, &anew).await.unwrap();
    records::write(&mut tx, &vault(), changed.summary.patient_id, &anew).await.unwrap();
    let refused = import::rollback(&mut tx, first.migration_id).await.unwrap_err();
    let permanence_domain::Error::Conflict { code: "migration_changed", detail } = refused else {
        panic!("{refused:?}")
    };
    assert!(
        detail.starts_with("2 change(s) since: medical record ") && detail.contains("new medical record")
    );
    tx.rollback().await.unwrap();

    let mut tx = world.begin().await;
    import::rollback(&mut tx, first.migration_id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(counts(&world).await, before);
    let mut tx = world.begin().await;
    let patients: i64 =
        sqlx::query_scalar("SELECT count(*) FROM subject_keys WHERE class = 'care' AND destroyed_at IS NULL")
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!(patients, 0, "nothing of them opens any more");
    drop(tx);
    assert_eq!(moved(&world, &dump()).await.records_migrated, 8, "it can come again");

    // Whatever was not moved in cannot be deleted, whatever the code says.
    let mut tx = world.begin().await;
    records::write(&mut tx, &vault(), world.patient, &anew).await.unwrap();
    for table in
        ["DELETE FROM medical_record_versions WHERE imported_at IS NULL", "DELETE FROM medical_records"]
    {
        let gone = sqlx::query(table).execute(tx.conn()).await;
        assert!(gone.is_err() || gone.unwrap().rows_affected() == 0, "{table}");
        tx.rollback().await.unwrap();
        tx = world.begin().await;
        records::write(&mut tx, &vault(), world.patient, &anew).await.unwrap();
    }
}
