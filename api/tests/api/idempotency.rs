//! The same POST twice is one effect and one answer.

use chrono_tz::Tz;
use permanence_domain::{db::Actor, idempotency};
use serde_json::json;

use crate::support::{PASSWORD, TestApi, patient};

const PATH: &str = "/api/v1/patients";

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let first = practice.assistant.post_keyed(PATH, "k-1", patient("Zoé", "Noël")).await.expect(201);
    api.clock.advance(std::time::Duration::from_mins(1));
    let second = practice.assistant.post_keyed(PATH, "k-1", patient("Zoé", "Noël")).await.expect(201);
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(
        (first.header("etag"), second.header("etag")),
        ("\"1\"", "\"1\""),
        "a change can follow at once"
    );
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
    assert_eq!(practice.assistant.get(PATH).await.body["total"], 1);

    practice
        .assistant
        .post_keyed(PATH, "k-1", patient("Zoé", "Roy"))
        .await
        .refused(422, "idempotency_key_reused");
    let elsewhere = practice.assistant.post_keyed("/api/v1/appointments", "k-1", json!({})).await;
    assert_eq!(elsewhere.status, 422);
    practice.admin.post_keyed(PATH, "k-1", patient("Noé", "Roy")).await.expect(201);
    let missing = practice.assistant.send(reqwest::Method::POST, PATH, &[], Some(patient("A", "B"))).await;
    missing.refused(400, "idempotency_key_missing");
}

#[tokio::test]
async fn thirty_at_once_are_one() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let answers = futures::future::join_all(
        (0..30).map(|_| practice.assistant.post_keyed(PATH, "double-click", patient("Zoé", "Noël"))),
    )
    .await;
    let first = answers[0].id();
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.id() == first));
    assert_eq!(practice.assistant.get(PATH).await.body["total"], 1);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let room = json!({ "name": "Cabinet 1" });
    let id = practice.admin.post("/api/v1/rooms", room.clone()).await.expect(201).id();
    practice.admin.post_keyed("/api/v1/rooms", "k", room.clone()).await.refused(409, "name_taken");
    practice.admin.delete(&format!("/api/v1/rooms/{id}")).await.expect(204);
    practice.admin.post_keyed("/api/v1/rooms", "k", room).await.expect(201);
}

#[tokio::test]
async fn answers_are_sealed_and_forgotten_after_a_day() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.assistant.post_keyed(PATH, "k", patient("Zoé", "Noël")).await.expect(201);
    let login = json!({ "email": format!("admin@{}", practice.domain), "password": PASSWORD });
    let keyed = [("idempotency-key", "login-1")];
    let once = async || {
        let path = "/api/v1/auth/login";
        api.send(reqwest::Method::POST, path, None, &keyed, Some(login.clone())).await.expect(200).body
    };
    assert_eq!(once().await, once().await, "one session, not two");

    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    let sealed: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed_body FROM idempotency_keys").fetch_all(tx.conn()).await.unwrap();
    assert_eq!(sealed.len(), 2);
    for body in sealed {
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(!text.contains("No") || !text.contains("first_name"), "an answer lies open: {text}");
    }
    tx.commit().await.unwrap();
    api.clock.advance(std::time::Duration::from_secs(86_401));
    let day_after = once().await;
    assert_eq!(day_after["tenant_id"], json!(practice.tenant), "a day later the key is new, purged or not");
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    assert_eq!(idempotency::purge(&mut tx, 100).await.unwrap(), 1);
    tx.commit().await.unwrap();
}
