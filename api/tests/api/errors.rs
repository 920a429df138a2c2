//! Errors are part of the product: one shape, stable codes, nothing internal.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};
use chrono_tz::Tz;
use permanence_domain::{
    config::Env,
    db::Actor,
    telemetry::{Telemetry, TelemetryConfig},
};
use reqwest::Method;
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{LOCAL, TestApi, patient};

#[tokio::test]
async fn a_problem_has_one_shape() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let answer =
        practice.assistant.post("/api/v1/patients", json!({ "last_name": "Noël", "consents": {} })).await;
    insta::assert_json_snapshot!(answer.body, { ".request_id" => "[id]" }, @r#"
    {
      "code": "invalid_input",
      "detail": "1 field(s) break a rule: see errors",
      "errors": [
        {
          "code": "missing",
          "expected": "a value",
          "field": "first_name"
        }
      ],
      "request_id": "[id]",
      "status": 422,
      "title": "Unprocessable Entity",
      "type": "urn:permanence:problem:invalid_input"
    }
    "#);
    assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn http_used_wrongly_is_told() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    api.get("/api/v1/nothing").await.refused(404, "unknown_route");
    api.send(Method::DELETE, "/api/v1/patients", None, &[], None).await.refused(405, "method_not_allowed");
    practice.assistant.get("/api/v1/patients/42").await.refused(422, "invalid_input");

    let raw = async |content_type: &str, body: String| {
        let request = api
            .http
            .post(format!("{}/api/v1/patients", api.base))
            .bearer_auth(&practice.assistant.token)
            .header("idempotency-key", "k")
            .header("content-type", content_type)
            .body(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<serde_json::Value>().await.unwrap()["code"].clone())
    };
    assert_eq!(raw("application/json", "{\"first_name\":".into()).await, (400, json!("malformed_json")));
    assert_eq!(raw("application/json", "[]".into()).await, (422, json!("invalid_input")));
    let shouted = raw("Application/JSON; charset=utf-8", "[]".into()).await;
    assert_eq!(shouted, (422, json!("invalid_input")), "media types have no case");
    assert_eq!(raw("text/plain", "{}".into()).await, (415, json!("not_json")));
    let large = format!("{{\"first_name\":\"{}\"}}", "x".repeat(300_000));
    assert_eq!(raw("application/json", large).await, (413, json!("body_too_large")));
}

#[tokio::test]
async fn nothing_internal_is_told() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    // A defect: a column that the code needs is gone.
    let owner = sqlx::PgPool::connect_with(api.database.owner_options()).await.unwrap();
    sqlx::query("ALTER TABLE rooms RENAME COLUMN name TO name_").execute(&owner).await.unwrap();
    let answer = practice.admin.get("/api/v1/rooms").await;
    answer.refused(500, "internal");
    assert_eq!(answer.body["detail"], "something went wrong on our side");
    assert!(!answer.body.to_string().contains("column"));
}

/// What a server of error reports was sent.
type Reports = Arc<Mutex<Vec<String>>>;

async fn reports() -> (Reports, String) {
    let received = Reports::default();
    let take =
        |State(received): State<Reports>, body: String| async move { received.lock().unwrap().push(body) };
    let routes = Router::new().route("/api/7/envelope/", post(take)).with_state(received.clone());
    let listener = tokio::net::TcpListener::bind(LOCAL).await.unwrap();
    let dsn = format!("http://key@{}/7", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (received, dsn)
}

#[tokio::test]
async fn a_defect_is_reported_by_its_route_and_its_request_and_nothing_else() {
    let (received, dsn) = reports().await;
    let config =
        TelemetryConfig::read(&mut Env::of([("SENTRY_DSN".to_owned(), dsn)]), "permanence-api").unwrap();
    let telemetry = Telemetry::new(config);
    // With one subscriber alone, another test's thread that meets a span first asks its own, finds none, and nobody sees the span.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _seen = tracing::subscriber::set_default(tracing_subscriber::registry().with(telemetry.layer()));
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let owner = sqlx::PgPool::connect_with(api.database.owner_options()).await.unwrap();
    sqlx::query("ALTER TABLE patients RENAME COLUMN email TO email_").execute(&owner).await.unwrap();
    practice.assistant.get("/api/v1/nothing").await.refused(404, "unknown_route");
    let answer = practice.assistant.post("/api/v1/patients", patient("Hélène", "Garcia")).await;
    answer.refused(500, "internal");
    telemetry.end().await;

    let received = received.lock().unwrap();
    let [body] = received.as_slice() else { panic!("{received:?}") };
    let event: serde_json::Value = serde_json::from_str(body.lines().nth(2).unwrap()).unwrap();
    let expected = json!({ "fault": "request", "status": "500", "code": "internal", "method": "POST",
        "route": "/api/v1/patients", "request_id": answer.header("x-request-id") });
    assert_eq!(event["tags"], expected);
    for personal in ["Hélène", "Garcia", "column", "email", &practice.domain, &practice.assistant.token] {
        assert!(!body.contains(personal), "{personal}");
    }
}

#[tokio::test]
async fn a_given_request_id_is_kept_down_to_the_audit_trail() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = uuid::Uuid::new_v4();
    let headers = [("x-request-id", &*id.to_string()), ("idempotency-key", "k")];
    let room = Some(json!({ "name": "Cabinet 1" }));
    let answer = practice.admin.send(Method::POST, "/api/v1/rooms", &headers, room).await.expect(201);
    assert_eq!(answer.header("x-request-id"), id.to_string());
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    let actions: Vec<String> = sqlx::query_scalar("SELECT action FROM audit_log WHERE request_id = $1")
        .bind(id)
        .fetch_all(tx.conn())
        .await
        .unwrap();
    assert_eq!(actions, ["room.add"]);
}

#[tokio::test]
async fn browsers_may_call_from_the_configured_frontend_only() {
    let api = TestApi::start().await;
    let preflight = async |origin: &str| {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        let answer = api.send(Method::OPTIONS, "/api/v1/auth/login", None, &headers, None).await;
        answer.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(preflight("https://app.example.fr").await, "https://app.example.fr");
    assert_eq!(preflight("https://evil.example").await, "");
    let answer = api.get("/health/live").await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-frame-options"), "DENY");
}
