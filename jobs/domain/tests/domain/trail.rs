//! The audit trail is only ever added to.

use std::sync::Arc;

use permanence_domain::{
    audit,
    clock::SimulatedClock,
    db::{Actor, Db},
    migrate::MIGRATOR,
};
use permanence_embedded::testing::TestDatabase;
use permanence_queue::Waker;
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn no_role_changes_or_deletes_what_was_recorded() {
    let database = TestDatabase::create(&MIGRATOR).await;
    let clock = Arc::new(SimulatedClock::at("2027-01-04T08:00:00Z".parse().unwrap()));
    let db = Db::new(database.login_options(), 2, clock, Waker::start(database.login_options()));
    let mut tx = db.system(Actor::JOB).await.unwrap();
    audit::record_system(&mut tx, None, "auth.login_refused", "user", None).await.unwrap();
    tx.commit().await.unwrap();
    let mut owner = PgConnection::connect_with(&database.owner_options()).await.unwrap();
    let attempts = ["UPDATE audit_log SET action = 'nothing'", "DELETE FROM audit_log", "TRUNCATE audit_log"];
    for attempt in attempts {
        let mut tx = db.system(Actor::JOB).await.unwrap();
        assert!(sqlx::query(attempt).execute(tx.conn()).await.is_err(), "the system role: {attempt}");
        tx.rollback().await.unwrap();
        let error = sqlx::query(attempt).execute(&mut owner).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "the owner: {attempt}: {error}");
    }
}
