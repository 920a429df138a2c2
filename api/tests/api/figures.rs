//! Figures: how fresh they are, and having them refreshed.

use chrono_tz::Tz;
use permanence_domain::identity::Role;
use serde_json::{Value, json};

use crate::support::TestApi;

const FIGURES: &str = "/api/v1/figures";
const REFRESH: &str = "/api/v1/figures/practice_days/refresh";

#[tokio::test]
async fn a_refresh_is_asked_for_once_and_followed() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let views = practice.admin.get(FIGURES).await.expect(200).body;
    let fresh = json!({ "view": "practice_days", "as_of": null, "took_seconds": null, "refreshing_since": null,
                        "last_error": null });
    assert!(views.as_array().unwrap().contains(&fresh), "{views:#}");

    let asked = practice.admin.post_keyed(REFRESH, "once", json!({})).await.expect(202);
    assert_eq!(asked.body, fresh);
    let job = asked.header("location").to_owned();
    let told = practice.admin.get(&job).await.expect(200).body;
    assert_eq!((&told["kind"], &told["state"]), (&json!("figures.refresh_view"), &json!("available")));
    let again = practice.admin.post_keyed(REFRESH, "once", json!({})).await.expect(202);
    assert_eq!((again.header("location"), again.header("idempotency-replayed")), (&*job, "true"));
    // Whoever asks while it waits is answered by it.
    let other = practice.admin.post_keyed(REFRESH, "twice", json!({})).await.expect(202);
    assert_eq!(other.header("location"), job);
}

#[tokio::test]
async fn what_is_refused() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    for client in [&practice.assistant, &nurse] {
        client.get(FIGURES).await.refused(403, "forbidden");
        client.post(REFRESH, json!({})).await.refused(403, "forbidden");
    }
    practice.admin.post("/api/v1/figures/no_such_view/refresh", json!({})).await.refused(404, "not_found");
    practice.admin.post(REFRESH, json!({ "now": true })).await.refused(422, "invalid_input");
    api.send(reqwest::Method::POST, REFRESH, Some(&practice.admin.token), &[], None)
        .await
        .refused(400, "idempotency_key_missing");
    let job = practice.admin.post(REFRESH, json!({})).await.expect(202).header("location").to_owned();
    other.admin.get(&job).await.refused(404, "not_found");
    assert_eq!(api.get(FIGURES).await.body["code"], Value::from("missing_token"));
}
