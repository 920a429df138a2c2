//! Handing in what a browser kept. What becomes of it is tried where jobs are performed.

use chrono_tz::Tz;
use permanence_domain::{
    db::Actor,
    identity::Role,
    import::jobs::{ClearMigration, ImportDump},
};
use permanence_queue::Job;
use serde_json::{Value, json};

use crate::support::{Answer, Client, TestApi};

const MIGRATIONS: &str = "/api/v1/migrations";
const DUMP: &str = r#"{"patients":[]}"#;

async fn hand_in(client: &Client<'_>, query: &str, key: &str, dump: &str) -> Answer {
    client.upload(&format!("{MIGRATIONS}?{query}"), key, "application/json", dump.as_bytes().to_vec()).await
}

#[tokio::test]
async fn a_dump_is_taken_once_and_a_job_is_to_move_it_in() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let taken = hand_in(&practice.admin, "dry_run=true", "k", DUMP).await.expect(202);
    let id = taken.body["migration_id"].as_str().unwrap();
    let path = format!("{MIGRATIONS}/{id}");
    assert_eq!(taken.header("location"), path);
    let told =
        ["status", "tables", "records_migrated", "backup_location"].map(|field| taken.body[field].clone());
    assert_eq!(told, [json!("pending"), json!([]), json!(0), Value::Null]);
    assert_eq!(practice.admin.get(&path).await.expect(200).body, taken.body);
    assert_eq!(practice.admin.get(MIGRATIONS).await.expect(200).body["items"], json!([taken.body]));
    let job = practice.admin.get(&format!("/api/v1/jobs/{}", taken.body["job_id"])).await.expect(200).body;
    assert_eq!(job["kind"], json!(ImportDump::KIND));

    let again = hand_in(&practice.admin, "dry_run=true", "k", DUMP).await.expect(202);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &taken.body));
    hand_in(&practice.admin, "dry_run=true", "k", "{}").await.refused(422, "idempotency_key_reused");
    assert_eq!(api.objects("migrations"), 1, "files of no use are removed");

    let rollback = format!("{path}/rollback");
    practice.admin.post(&rollback, json!({})).await.refused(409, "migration_not_completed");
}

#[tokio::test]
async fn what_is_asked_wrongly_or_by_others_is_refused() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let wrong = hand_in(&practice.admin, "dry_run=perhaps&practitioners=x&keep_days=366", "k", DUMP).await;
    wrong.refused(422, "invalid_input");
    let codes: Vec<_> =
        wrong.body["errors"].as_array().unwrap().iter().map(|error| error["code"].clone()).collect();
    assert_eq!(codes, [json!("not_a_flag"), json!("not_a_count"), json!("malformed")]);
    let csv = practice.admin.upload(MIGRATIONS, "k", "text/csv", b"x".to_vec()).await;
    csv.refused(415, "not_json");

    let taken = hand_in(&practice.admin, "", "k", DUMP).await.expect(202);
    let path = format!("{MIGRATIONS}/{}", taken.body["migration_id"].as_str().unwrap());
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    for member in [&practice.assistant, &nurse] {
        hand_in(member, "", "k", DUMP).await.refused(403, "forbidden");
        member.get(&path).await.refused(403, "forbidden");
        member.post(&format!("{path}/rollback"), json!({})).await.refused(403, "forbidden");
        member.get(&format!("{path}/dump")).await.refused(403, "forbidden");
        member.get(&format!("{path}/backup")).await.refused(403, "forbidden");
        member.delete(&format!("{path}/files")).await.refused(403, "forbidden");
    }
    let other = api.practice("Roses", Tz::Europe__Paris).await;
    other.admin.get(&path).await.refused(404, "not_found");
    other.admin.post(&format!("{path}/rollback"), json!({})).await.refused(404, "not_found");
    other.admin.get(&format!("{path}/dump")).await.refused(404, "not_found");
    other.admin.get(&format!("{path}/backup")).await.refused(404, "not_found");
    other.admin.delete(&format!("{path}/files")).await.refused(404, "not_found");
    assert_eq!(other.admin.get(MIGRATIONS).await.expect(200).body["total"], 0);
}

#[tokio::test]
async fn a_dump_lies_sealed_is_read_by_whoever_handed_it_in_and_ends_when_the_practice_wants() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let dump = r#"{"patients":[],"medical_records":[{"content":"un secret"}]}"#;
    let taken = hand_in(&practice.admin, "keep_days=365", "k", dump).await.expect(202);
    let path = format!("{MIGRATIONS}/{}", taken.body["migration_id"].as_str().unwrap());
    let [object] = &api.object_files("migrations")[..] else { panic!("one object") };
    assert!(!String::from_utf8_lossy(&std::fs::read(object).unwrap()).contains("secret"));

    let read = practice.admin.get(&format!("{path}/dump")).await.expect(200);
    assert_eq!(
        (&read.body, read.header("content-type")),
        (&serde_json::from_str(dump).unwrap(), "application/json")
    );
    assert!(read.header("content-disposition").starts_with("attachment; "));
    // There is no backup before something is moved in; and what is medical is not for whoever only runs the practice.
    practice.admin.get(&format!("{path}/backup")).await.refused(409, "migration_file_ended");
    let colleague = api.member(practice.tenant, "second@lilas.example", Role::Admin).await;
    colleague.get(&format!("{path}/dump")).await.refused(403, "forbidden");
    colleague.get(&format!("{path}/backup")).await.refused(409, "migration_file_ended");

    // One that waits is given up with its files; twice is the same as once.
    colleague.delete(&format!("{path}/files")).await.expect(204);
    practice.admin.delete(&format!("{path}/files")).await.expect(204);
    practice.admin.get(&format!("{path}/dump")).await.refused(409, "migration_file_ended");
    let ended = practice.admin.get(&path).await.expect(200).body;
    assert_eq!((&ended["status"], &ended["failure"]), (&json!("failed"), &json!("withdrawn")));
    assert!(ended["files_ended_at"].is_string() && ended["dump_location"].is_null());
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    let trail: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_log WHERE action LIKE 'migration.%' ORDER BY id")
            .fetch_all(tx.conn())
            .await
            .unwrap();
    assert_eq!(trail, ["migration.request", "migration.read_dump", "migration.end_files"]);
    let jobs: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM queue.jobs WHERE kind LIKE 'import.%' AND state = 'available'")
            .fetch_all(tx.conn())
            .await
            .unwrap();
    assert_eq!(jobs, [ClearMigration::KIND]);
}
