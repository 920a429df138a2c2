//! Handing in suppliers' files. What becomes of them is tried where jobs are performed.

use chrono_tz::Tz;
use permanence_domain::{db::Actor, identity::Role, inventory::jobs::ImportItems};
use permanence_queue::Job;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, TestApi};

const IMPORTS: &str = "/api/v1/inventory/imports";
const FILE: &str = "Référence;Désignation;Quantité\nGN-M;Gants;12\n";

async fn hand_in(client: &Client<'_>, query: &str, key: &str, file: &str) -> Answer {
    client.upload(&format!("{IMPORTS}?{query}"), key, "text/csv", file.as_bytes().to_vec()).await
}

#[tokio::test]
async fn a_file_is_taken_and_a_job_is_to_read_it() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let taken = hand_in(&practice.assistant, "mode=receive", "k", FILE).await.expect(202);
    assert_eq!(taken.header("location"), format!("{IMPORTS}/{}", taken.id()));
    assert_eq!((&taken.body["status"], &taken.body["dry_run"]), (&json!("waiting"), &json!(false)));
    assert_eq!((&taken.body["rows"], &taken.body["faults"]), (&Value::Null, &json!([])));
    assert_eq!(taken.body["bytes"], FILE.len());
    let told = practice.assistant.get(taken.header("location")).await.expect(200);
    assert_eq!(told.body, taken.body);
    let job = practice.admin.get(&format!("/api/v1/jobs/{}", taken.body["job_id"])).await.expect(200).body;
    assert_eq!((&job["kind"], &job["state"]), (&json!(ImportItems::KIND), &json!("available")));

    // The same again is the same import; another file or another question under the key is not.
    let again = hand_in(&practice.assistant, "mode=receive", "k", FILE).await.expect(202);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &taken.body));
    let other = format!("{FILE}B;Bandes;1\n");
    hand_in(&practice.assistant, "mode=receive", "k", &other).await.refused(422, "idempotency_key_reused");
    hand_in(&practice.assistant, "mode=count", "k", FILE).await.refused(422, "idempotency_key_reused");
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    let imports: i64 =
        sqlx::query_scalar("SELECT count(*) FROM inventory_imports").fetch_one(tx.conn()).await.unwrap();
    assert_eq!(imports, 1);
    assert_eq!(api.objects("imports"), 1, "files of no use are removed");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_before_the_file_is_read() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let errors = async |query: &str| -> Vec<(String, String)> {
        let answer = hand_in(&practice.assistant, query, "k", FILE).await.expect(422);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = answer.body["errors"].as_array().unwrap().iter();
        errors.map(|error| (text(&error["field"]), text(&error["code"]))).collect()
    };
    let of = |field: &str, code: &str| (field.to_owned(), code.to_owned());
    assert_eq!(errors("").await, [of("mode", "missing")]);
    assert_eq!(errors("mode=guess").await, [of("mode", "unknown_value")]);
    assert_eq!(errors("mode=count&dry_run=perhaps").await, [of("dry_run", "not_a_flag")]);
    assert_eq!(errors("mode=count&mapping=x").await, [of("mapping", "malformed")]);
    let mapping = "%7B%22colour%22:%22Bleu%22,%22reference%22:%22%22%7D";
    assert_eq!(
        errors(&format!("mode=count&mapping={mapping}")).await,
        [of("mapping.colour", "unknown_field"), of("mapping.reference", "not_a_text")]
    );

    let path = format!("{IMPORTS}?mode=count");
    let json =
        practice.assistant.send(Method::POST, &path, &[("idempotency-key", "k")], Some(json!({}))).await;
    json.refused(415, "not_csv");
    let keyless = practice.assistant.send(Method::POST, &path, &[], None).await;
    keyless.refused(400, "idempotency_key_missing");
    assert_eq!(api.objects("imports"), 0);
}

#[tokio::test]
async fn a_file_may_be_large_and_not_larger() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let path = format!("{IMPORTS}?mode=count");
    let too_large = vec![b'x'; 128 * 1024 * 1024 + 1];
    practice.assistant.upload(&path, "k", "text/csv", too_large).await.refused(413, "body_too_large");
    assert_eq!(api.objects("imports"), 0);
    let large = vec![b'x'; 2 * 1024 * 1024];
    let taken = practice.assistant.upload(&path, "k", "Text/CSV; charset=utf-8", large).await.expect(202);
    assert_eq!(taken.body["bytes"], 2 * 1024 * 1024);
}

#[tokio::test]
async fn imports_belong_to_their_practice_and_to_whoever_looks_after_the_stock() {
    let api = TestApi::start().await;
    let own = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let stranger = api.member(own.tenant, "rh@lilas.example", Role::HrAdmin).await;
    hand_in(&stranger, "mode=count", "k", FILE).await.refused(403, "forbidden");
    assert_eq!(api.objects("imports"), 0);
    let id = hand_in(&own.assistant, "mode=count", "k", FILE).await.expect(202).id();
    let path = format!("{IMPORTS}/{id}");
    other.admin.get(&path).await.refused(404, "not_found");
    stranger.get(&path).await.refused(403, "forbidden");
    hand_in(&other.admin, "mode=count", "k", FILE).await.expect(202);
}
