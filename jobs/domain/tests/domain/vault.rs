//! The keys of what is sealed, in the database: made once, bound to their subject, destroyed for good, wrapped anew.

use permanence_domain::{
    Error,
    db::{Actor, TenantTx},
    field::Day,
    ids::{MedicalRecordId, PatientId},
    records::{self, Clinical, NewRecord, RecordKind},
    vault::{KeyClass, LocalMaster, Place, Subject, Vault, rewrap},
};
use sqlx::Connection;
use uuid::Uuid;

use crate::two::{Two, two};

/// The master key of both practices.
pub(crate) const OLD: &str = "old:0000000000000000000000000000000000000000000000000000000000000001";
const NEW: &str = "new:0000000000000000000000000000000000000000000000000000000000000002";

/// Keys under these master keys.
pub(crate) fn vault(keys: &[&str]) -> Vault {
    Vault::new(LocalMaster::parse(&keys.join(",")).unwrap())
}

/// A record of the practice's patient.
pub(crate) async fn noted(tx: &mut TenantTx, vault: &Vault, patient: PatientId) -> MedicalRecordId {
    let new = NewRecord {
        kind: RecordKind::Observation,
        occurred_on: Day::parse("2027-01-03").unwrap(),
        title: Clinical::parse("Tension", 200).unwrap(),
        content: Clinical::parse("12/8", 200).unwrap(),
    };
    records::write(tx, vault, patient, &new).await.unwrap().id
}

async fn patient(tx: &mut TenantTx) -> PatientId {
    let id: Uuid = sqlx::query_scalar("SELECT id FROM patients WHERE deleted_at IS NULL LIMIT 1")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    PatientId(id)
}

async fn begin(two: &Two) -> TenantTx {
    two.db.tenant(two.own, Actor::JOB).await.unwrap()
}

#[tokio::test]
async fn a_destroyed_key_opens_nothing_and_never_comes_back() {
    let two = two().await;
    let keys = vault(&[OLD]);
    let mut tx = begin(&two).await;
    let subject = Subject { id: Uuid::from_u128(5), class: KeyClass::Personal };
    let place = Place { tenant: two.own, table: "t", row: Uuid::from_u128(6), version: 1 };
    let sealed = keys.writing(&mut tx, subject).await.unwrap().seal(&place, b"secret").unwrap();
    // The same key again, and another for what else there is of the subject.
    assert_eq!(&keys.writing(&mut tx, subject).await.unwrap().open(&place, &sealed).unwrap()[..], b"secret");
    let care = Subject { class: KeyClass::Care, ..subject };
    assert!(keys.writing(&mut tx, care).await.unwrap().open(&place, &sealed).is_err());
    assert!(Vault::destroy(&mut tx, subject).await.unwrap());
    assert!(!Vault::destroy(&mut tx, subject).await.unwrap(), "once");
    for key in [keys.reading(&mut tx, subject).await, keys.writing(&mut tx, subject).await] {
        assert!(matches!(key, Err(Error::Conflict { code: "key_destroyed", .. })), "{key:?}");
    }
    keys.reading(&mut tx, care).await.unwrap();
    tx.commit().await.unwrap();
    // Not even by whoever owns the table.
    let mut owner = sqlx::PgConnection::connect_with(&two.database.owner_options()).await.unwrap();
    for statement in [
        "UPDATE subject_keys SET wrapped = 'x', destroyed_at = NULL WHERE class = 'personal'",
        "UPDATE subject_keys SET wrapped = 'x' WHERE class = 'care'",
        "UPDATE subject_keys SET class = 'care' WHERE class = 'personal'",
        "DELETE FROM subject_keys",
    ] {
        assert!(sqlx::query(statement).execute(&mut owner).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn two_that_need_the_first_key_at_once_share_one() {
    let two = two().await;
    let keys = vault(&[OLD]);
    let subject = Subject { id: Uuid::from_u128(7), class: KeyClass::Care };
    let place = Place { tenant: two.own, table: "t", row: Uuid::from_u128(8), version: 1 };
    let mut first = begin(&two).await;
    let key = keys.writing(&mut first, subject).await.unwrap();
    let second = async {
        let mut tx = begin(&two).await;
        let key = keys.writing(&mut tx, subject).await.unwrap();
        tx.commit().await.unwrap();
        key
    };
    let (first, second) = tokio::join!(first.commit(), second);
    first.unwrap();
    let sealed = key.seal(&place, b"x").unwrap();
    assert_eq!(&second.open(&place, &sealed).unwrap()[..], b"x");
}

#[tokio::test]
async fn a_rotated_master_key_opens_what_was_sealed_before() {
    let two = two().await;
    let old = vault(&[OLD]);
    let mut tx = begin(&two).await;
    let patient = patient(&mut tx).await;
    let id = noted(&mut tx, &old, patient).await;
    tx.commit().await.unwrap();
    let both = vault(&[NEW, OLD]);
    let mut all = two.db.system(Actor::JOB).await.unwrap();
    let mut wrapped = 0;
    loop {
        match rewrap(&mut all, &both, 1).await.unwrap() {
            0 => break,
            count => wrapped += count,
        }
    }
    all.commit().await.unwrap();
    assert_eq!(wrapped, 2, "a key of each practice");
    let only_new = vault(&[NEW]);
    let mut tx = begin(&two).await;
    let record = records::read(&mut tx, &only_new, id, None).await.unwrap();
    assert_eq!(record.content.expose(), "12/8");
    assert!(records::read(&mut tx, &old, id, None).await.is_err(), "the old one opens nothing any more");
}

#[tokio::test]
async fn a_key_in_another_subjects_place_does_not_open() {
    let two = two().await;
    let keys = vault(&[OLD]);
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let mut tx = begin(&two).await;
    for id in [one, other] {
        keys.writing(&mut tx, Subject { id, class: KeyClass::Care }).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut owner = sqlx::PgConnection::connect_with(&two.database.owner_options()).await.unwrap();
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut owner).await.unwrap();
    sqlx::query("UPDATE subject_keys SET wrapped = (SELECT wrapped FROM subject_keys WHERE subject_id = $1) WHERE subject_id = $2")
        .bind(one)
        .bind(other)
        .execute(&mut owner)
        .await
        .unwrap();
    let mut tx = begin(&two).await;
    keys.reading(&mut tx, Subject { id: one, class: KeyClass::Care }).await.unwrap();
    assert!(keys.reading(&mut tx, Subject { id: other, class: KeyClass::Care }).await.is_err());
}
