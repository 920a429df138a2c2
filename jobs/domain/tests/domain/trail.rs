//! The audit trail is only ever added to, and holds no content.

use std::sync::Arc;

use permanence_domain::{
    audit,
    clock::SimulatedClock,
    db::{Actor, Db},
    migrate::MIGRATOR,
};
use permanence_embedded::testing::TestDatabase;
use permanence_queue::Waker;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

async fn recorded() -> (TestDatabase, Db) {
    let database = TestDatabase::create(&MIGRATOR).await;
    let clock = Arc::new(SimulatedClock::at("2027-01-04T08:00:00Z".parse().unwrap()));
    let db = Db::new(database.login_options(), 2, clock, Waker::start(database.login_options()));
    let mut tx = db.system(Actor::JOB).await.unwrap();
    audit::record_system(&mut tx, None, "auth.login_refused", "user", None).await.unwrap();
    tx.commit().await.unwrap();
    let mut owner = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    // A row of each table that must not change, so that an attempt has something to change.
    sqlx::raw_sql(
        "SET session_replication_role = replica;
         INSERT INTO audit_seals SELECT gen_random_uuid(), 'record', 1, sha256(''), 1, 1, 1, now(), now(), now(),
                                        sha256(''), substring(sha256('') FOR 16), sha256('');
         INSERT INTO audit_anchors VALUES (1, sha256(''), 1, now());
         INSERT INTO audit_removals VALUES (gen_random_uuid(), 'record', 0, 1, 1, 1, now())",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    (database, db)
}

#[tokio::test]
async fn no_role_changes_or_deletes_what_was_recorded() {
    let (database, _db) = recorded().await;
    let mut owner = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    let mut login = PgConnection::connect_with(&database.login_options()).await.unwrap();
    let set = [
        ("public.audit_log", "action = 'nothing'"),
        ("public.audit_seals", "number = number + 1"),
        ("public.audit_anchors", "heads = heads + 1"),
        ("public.audit_removals", "entries = entries + 1"),
    ];
    for (table, change) in set {
        for attempt in [
            format!("UPDATE {table} SET {change}"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
        ] {
            for role in ["permanence_tenant", "permanence_system", "permanence_queue", "permanence_login"] {
                let mut tx = login.begin().await.unwrap();
                if role != "permanence_login" {
                    let take = AssertSqlSafe(format!("SET LOCAL ROLE {role}"));
                    sqlx::query(take).execute(&mut *tx).await.unwrap();
                }
                let error = sqlx::query(AssertSqlSafe(attempt.clone())).execute(&mut *tx).await.unwrap_err();
                let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
                assert_eq!(code.as_deref(), Some("42501"), "{role}: {attempt}: {error}");
                tx.rollback().await.unwrap();
            }
            if !attempt.starts_with("ALTER") {
                let error =
                    sqlx::query(AssertSqlSafe(attempt.clone())).execute(&mut owner).await.unwrap_err();
                assert!(error.to_string().contains("append-only"), "the owner: {attempt}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_chooses_an_entrys_number() {
    let (_database, db) = recorded().await;
    let mut tx = db.system(Actor::JOB).await.unwrap();
    let error =
        sqlx::query("INSERT INTO audit_log (id, at, action, resource) VALUES (1000, now(), 'a.b', 'c')")
            .execute(tx.conn())
            .await
            .unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{error}");
}

#[tokio::test]
async fn what_is_content_is_refused() {
    let (_database, db) = recorded().await;
    let refused = async |action: &str, resource: &str, subject: &str| {
        let mut tx = db.system(Actor::JOB).await.unwrap();
        audit::record_system(&mut tx, None, action, resource, subject).await.is_err()
    };
    assert!(!refused("queue.pause", "queue", "reminders").await);
    for subject in ["Hélène Garcia", "helene@garcia.example", "+33 6 00 00 00 01", "", "two words", "a\nb"]
    {
        assert!(refused("queue.pause", "queue", subject).await, "{subject:?}");
    }
    assert!(refused("patient.update to Garcia", "patient", "1").await);
    assert!(refused("patient.update", "patient Garcia", "1").await);
}
