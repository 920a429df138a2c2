//! What is sealed: everything, once, and only what can no longer change its neighbours.

use permanence_domain::{
    audit::{self, next_anchor, note_anchor},
    db::Actor,
};
use sqlx::Connection;

use super::Recorded;

#[tokio::test]
async fn what_was_recorded_is_sealed_once_and_verifies() {
    let mut at = Recorded::at("2027-01-04T08:00:00Z").await;
    at.act("patient.update", 3).await;
    // The founding of the tenant, too.
    assert_eq!(at.seal().await, 4);
    assert!(!at.fence().await, "nothing was recorded since");
    assert_eq!(at.seal_once(10).await, None);
    at.anchor().await;
    at.act("auth.login", 2).await;
    at.act("invoice.issue", 1).await;
    assert_eq!(at.seal().await, 3);
    let anchor = at.anchor().await;
    let heads: Vec<_> = anchor.heads.iter().map(|head| (head.chain.class.as_str(), head.number)).collect();
    assert_eq!(heads, [("business", 1), ("security", 2)], "the chains that moved, and no other");
    let mut tx = at.db.system(Actor::JOB).await.unwrap();
    assert_eq!(next_anchor(&mut tx).await.unwrap(), None);
    tx.rollback().await.unwrap();

    let report = at.verify().await;
    assert!(report.is_sound(), "{report:#?}");
    assert_eq!((report.chains, report.seals, report.entries, report.waiting), (3, 4, 7, 0));
    assert_eq!(report.anchors, Some(2));
}

#[tokio::test]
async fn an_entry_that_appears_late_is_not_passed_by() {
    let at = Recorded::at("2027-01-04T08:00:00Z").await;
    assert_eq!(at.seal().await, 1);
    // Numbers 2 and 3, ended the other way round.
    let mut slow = at.db.tenant(at.tenant, Actor::JOB).await.unwrap();
    audit::record(&mut slow, "patient.update", "patient", None).await.unwrap();
    at.act("patient.update", 1).await;
    assert!(at.fence().await);
    assert_eq!(at.seal_once(10).await, None, "a transaction from before the fence still runs");
    slow.commit().await.unwrap();
    assert_eq!(at.seal().await, 2);
    let report = at.verify_without_anchors().await;
    assert!(report.is_sound(), "{report:#?}");
}

#[tokio::test]
async fn a_transaction_that_draws_its_number_late_has_its_id_before() {
    let at = Recorded::at("2027-01-04T08:00:00Z").await;
    at.seal().await;
    let mut owner = at.owner().await;
    let mut tx = owner.begin().await.unwrap();
    let none = "SELECT pg_current_xact_id_if_assigned() IS NULL";
    assert!(sqlx::query_scalar::<_, bool>(none).fetch_one(&mut *tx).await.unwrap());
    // The default alone, as an INSERT evaluates it before it writes.
    let default: String = sqlx::query_scalar(
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
         WHERE adrelid = 'audit_log'::regclass AND adnum = (SELECT attnum FROM pg_attribute
             WHERE attrelid = 'audit_log'::regclass AND attname = 'id')",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let drawn = sqlx::AssertSqlSafe(format!("SELECT {default}"));
    sqlx::query_scalar::<_, i64>(drawn).fetch_one(&mut *tx).await.unwrap();
    assert!(
        !sqlx::query_scalar::<_, bool>(none).fetch_one(&mut *tx).await.unwrap(),
        "no number without an id"
    );
}

#[tokio::test]
async fn many_at_once_are_sealed_each_once() {
    let at = Recorded::at("2027-01-04T08:00:00Z").await;
    at.act("patient.update", 1).await;
    at.seal().await;
    let (at, tasks) = (&at, 6);
    let record = |task: usize| async move {
        for round in 0..15 {
            let mut tx = at.db.tenant(at.tenant, Actor::JOB).await.unwrap();
            for _ in 0..=(round + task) % 3 {
                audit::record(&mut tx, "patient.update", "patient", None).await.unwrap();
            }
            // Some are undone and leave their numbers unused.
            if round % 5 == task % 5 { tx.rollback().await.unwrap() } else { tx.commit().await.unwrap() }
        }
    };
    let seal = async {
        for _ in 0..40 {
            at.fence().await;
            at.seal_once(7).await;
        }
    };
    let recording = futures::future::join_all((0..tasks).map(record));
    tokio::join!(recording, seal, async {
        for _ in 0..40 {
            at.seal_once(5).await;
        }
    });
    at.act("patient.update", 1).await;
    at.seal().await;
    let mut owner = at.owner().await;
    let recorded: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_log").fetch_one(&mut owner).await.unwrap();
    let report = at.verify_without_anchors().await;
    assert!(report.is_sound(), "{report:#?}");
    assert_eq!((report.entries, report.waiting), (recorded.unsigned_abs(), 0));
    assert!(report.seals >= 2, "more than one run sealed: {}", report.seals);
}

#[tokio::test]
async fn batches_are_as_large_as_was_asked() {
    let at = Recorded::at("2027-01-04T08:00:00Z").await;
    at.seal().await;
    at.act("patient.update", 10).await;
    at.fence().await;
    // Until the fence holds there is no batch.
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 10 {
        sizes.extend(at.seal_once(4).await.map(|sealed| sealed.entries));
    }
    assert_eq!(sizes, [4, 4, 2]);
    assert!(at.verify_without_anchors().await.is_sound());
}

#[tokio::test]
async fn a_fence_of_another_cluster_does_not_hold_up_a_restored_database() {
    let at = Recorded::at("2027-01-04T08:00:00Z").await;
    at.tamper("INSERT INTO audit_fences (xact, up_to) VALUES ('9000000000000000000', 1)").await;
    assert_eq!(at.seal().await, 1);
    let mut owner = at.owner().await;
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_fences").fetch_one(&mut owner).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn an_anchor_that_says_otherwise_is_not_noted() {
    let mut at = Recorded::at("2027-01-04T08:00:00Z").await;
    at.seal().await;
    let first = at.anchor().await;
    at.act("patient.update", 1).await;
    at.seal().await;
    let mut tx = at.db.system(Actor::JOB).await.unwrap();
    let next = next_anchor(&mut tx).await.unwrap().unwrap();
    let mut other = next.clone();
    other.heads[0].hash.0[0] ^= 1;
    assert!(note_anchor(&mut tx, &other.to_bytes().unwrap()).await.is_err(), "another hash");
    tx.rollback().await.unwrap();
    let mut tx = at.db.system(Actor::JOB).await.unwrap();
    assert!(note_anchor(&mut tx, &first.to_bytes().unwrap()).await.is_err(), "an anchor of before");
    tx.rollback().await.unwrap();
    let mut tx = at.db.system(Actor::JOB).await.unwrap();
    note_anchor(&mut tx, &next.to_bytes().unwrap()).await.unwrap();
    tx.rollback().await.unwrap();
}
