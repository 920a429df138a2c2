//! What has served its time goes, whole seals at a time, and the rest still verifies.

use permanence_domain::{
    audit::{Chain, Class, due_chains, forget_batch, verify::Fault},
    clock::{Clock, SystemClock},
    db::Actor,
};
use sqlx::{AssertSqlSafe, Connection};

use super::Recorded;

/// Entries of every class that are past any time by the database's own clock, and some of today.
async fn old_and_new() -> Recorded {
    let mut at = Recorded::at("2014-01-04T08:00:00Z").await;
    for _ in 0..2 {
        for action in ["auth.login", "invoice.issue", "patient.update"] {
            at.act(action, 2).await;
        }
        at.seal().await;
        at.anchor().await;
    }
    let today = SystemClock.now() - at.clock.now();
    at.clock.advance(today.to_std().unwrap());
    at.act("auth.login", 1).await;
    at.act("invoice.issue", 1).await;
    at.seal().await;
    at.anchor().await;
    at
}

async fn forget(at: &Recorded) -> Vec<(String, Option<i64>)> {
    let mut tx = at.db.system(Actor::JOB).await.unwrap();
    let due: Vec<Chain> = due_chains(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let mut done = Vec::new();
    for chain in due {
        let mut tx = at.db.system(Actor::JOB).await.unwrap();
        let gone = forget_batch(&mut tx, &chain).await.ok();
        if gone.is_some() {
            tx.commit().await.unwrap();
        }
        done.push((chain.class, gone));
    }
    done
}

#[tokio::test]
async fn each_class_goes_when_its_time_is_over_and_the_rest_verifies() {
    let at = old_and_new().await;
    // The founding of the tenant is of the security log as well.
    assert_eq!(forget(&at).await, [("business".to_owned(), Some(4)), ("security".to_owned(), Some(5))]);
    assert_eq!(forget(&at).await, [], "a second run finds nothing");
    let mut owner = at.owner().await;
    let left: Vec<(String, i64)> =
        sqlx::query_as("SELECT class, count(*) FROM audit_log GROUP BY class ORDER BY class")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    // What was removed is noted in the trail itself, twice.
    assert_eq!(left, [("business".to_owned(), 1), ("record".to_owned(), 4), ("security".to_owned(), 3)]);
    let report = at.verify().await;
    assert!(report.is_sound(), "{report:#?}");
    let removed: Vec<_> = report.removed.iter().map(|r| (r.chain.class.as_str(), r.entries)).collect();
    assert_eq!(removed, [("business", 4), ("security", 5)]);
    assert_eq!(report.entries, 6);
    at.seal().await;
    assert!(at.verify().await.is_sound());
}

#[tokio::test]
async fn what_retention_did_not_remove_is_still_missed() {
    let at = old_and_new().await;
    forget(&at).await;
    let last: i64 = sqlx::query_scalar("SELECT max(id) FROM audit_log WHERE class = 'business'")
        .fetch_one(&mut at.owner().await)
        .await
        .unwrap();
    at.tamper(&format!("DELETE FROM audit_log WHERE id = {last}")).await;
    let report = at.verify().await;
    let found: Vec<_> = report.findings.iter().map(|f| (f.fault, f.seal, f.entry)).collect();
    assert_eq!(found, [(Fault::EntryMissing, Some(3), Some(last))]);
    // And what somebody puts back where all was removed.
    at.tamper(
        "INSERT INTO audit_log (id, tenant_id, at, class, action, resource)
               SELECT 2, id, '2014-01-04', 'security', 'auth.login', 'session' FROM tenants",
    )
    .await;
    let report = at.verify().await;
    assert!(
        report.findings.iter().any(|f| (f.fault, f.entry) == (Fault::EntryInserted, Some(2))),
        "{report:#?}"
    );
}

#[tokio::test]
async fn a_changed_trail_is_not_swept_away() {
    let at = old_and_new().await;
    at.tamper("DELETE FROM audit_log WHERE id = (SELECT min(id) FROM audit_log WHERE class = 'security')")
        .await;
    // The other class goes; this one stays as evidence.
    assert_eq!(forget(&at).await, [("business".to_owned(), Some(4)), ("security".to_owned(), None)]);
    let report = at.verify().await;
    let found: Vec<_> = report.findings.iter().map(|f| (f.fault, f.seal)).collect();
    assert_eq!(found, [(Fault::EntryMissing, Some(1))]);
}

#[tokio::test]
async fn nobody_removes_what_is_not_past_its_time() {
    let at = old_and_new().await;
    let mut owner = at.owner().await;
    // Not even the owner, while the triggers stand.
    for attempt in [
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE class = 'record'",
        "INSERT INTO audit_removals (tenant_id, class, after_number, to_number, last_id, entries)
         SELECT tenant_id, class, 0, 1, last_id, entries FROM audit_seals WHERE class = 'record' AND number = 1",
        "INSERT INTO audit_removals (tenant_id, class, after_number, to_number, last_id, entries)
         SELECT tenant_id, class, 2, 3, last_id, entries FROM audit_seals WHERE class = 'security' AND number = 3",
        "INSERT INTO audit_removals (tenant_id, class, after_number, to_number, last_id, entries)
         SELECT tenant_id, class, 0, 1, last_id + 100, entries FROM audit_seals
         WHERE class = 'security' AND number = 1",
    ] {
        let error = sqlx::query(attempt).execute(&mut owner).await.unwrap_err();
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("42501"), "{attempt}: {error}");
    }
    // The function takes a tenant's word for nothing but whose chain it is; the tenant itself may not call it, and nobody
    // becomes the role that it runs as.
    let mut login = sqlx::PgConnection::connect_with(&at.database.login_options()).await.unwrap();
    let call = AssertSqlSafe(format!("SELECT forget_audit_entries('{}', 'security', 1)", at.tenant));
    let mut tx = at.db.tenant(at.tenant, Actor::JOB).await.unwrap();
    assert!(sqlx::query(call).execute(tx.conn()).await.is_err());
    assert!(sqlx::query("SET ROLE permanence_retention").execute(&mut login).await.is_err());
}

#[tokio::test]
async fn the_database_and_the_program_keep_a_class_equally_long() {
    let at = Recorded::at("2027-01-04T08:00:00Z").await;
    let mut owner = at.owner().await;
    for day in ["2026-01-31T12:00:00Z", "2028-02-29T12:00:00Z"] {
        let moment: chrono::DateTime<chrono::Utc> = day.parse().unwrap();
        for class in Class::ALL {
            let kept: Option<chrono::DateTime<chrono::Utc>> =
                sqlx::query_scalar("SELECT $1::timestamptz + audit_kept($2)")
                    .bind(moment)
                    .bind(class.as_str())
                    .fetch_one(&mut owner)
                    .await
                    .unwrap();
            assert_eq!(kept, class.kept_until(moment), "{class:?} of {day}");
        }
    }
}
