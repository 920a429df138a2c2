//! Handing in what a browser kept. What becomes of it is tried where jobs are performed.

use chrono_tz::Tz;
use permanence_domain::{identity::Role, import::jobs::ImportDump};
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
    let wrong = hand_in(&practice.admin, "dry_run=perhaps&practitioners=x", "k", DUMP).await;
    wrong.refused(422, "invalid_input");
    let codes: Vec<_> =
        wrong.body["errors"].as_array().unwrap().iter().map(|error| error["code"].clone()).collect();
    assert_eq!(codes, [json!("not_a_flag"), json!("malformed")]);
    let csv = practice.admin.upload(MIGRATIONS, "k", "text/csv", b"x".to_vec()).await;
    csv.refused(415, "not_json");

    let taken = hand_in(&practice.admin, "", "k", DUMP).await.expect(202);
    let path = format!("{MIGRATIONS}/{}", taken.body["migration_id"].as_str().unwrap());
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    for member in [&practice.assistant, &nurse] {
        hand_in(member, "", "k", DUMP).await.refused(403, "forbidden");
        member.get(&path).await.refused(403, "forbidden");
        member.post(&format!("{path}/rollback"), json!({})).await.refused(403, "forbidden");
    }
    let other = api.practice("Roses", Tz::Europe__Paris).await;
    other.admin.get(&path).await.refused(404, "not_found");
    other.admin.post(&format!("{path}/rollback"), json!({})).await.refused(404, "not_found");
    assert_eq!(other.admin.get(MIGRATIONS).await.expect(200).body["total"], 0);
}
