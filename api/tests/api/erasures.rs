//! Erasures over HTTP: asked for, taken back, looked at; who may. That nothing is left is tried where jobs are performed.

use chrono_tz::Tz;
use permanence_domain::identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApi;

#[tokio::test]
async fn an_erasure_is_asked_for_says_what_is_kept_and_is_taken_back() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.sells().await;
    let patient = practice.patient("Zoé", "Noël").await;
    let lines = json!([{ "name": "Séance", "unit_price": 6000, "vat": { "category": "care" } }]);
    practice.issued(json!({ "patient_id": patient, "lines": lines })).await;
    let path = format!("/api/v1/patients/{patient}");
    let ask = format!("{path}/erasure");
    let asked = practice.admin.post_keyed(&ask, "k", json!({})).await.expect(202);
    let erasure = format!("/api/v1/erasures/{}", asked.id());
    assert_eq!(asked.header("location"), erasure);
    assert_eq!(
        asked.body,
        json!({
            "id": asked.id(), "patient_id": patient, "status": "pending", "requested_at": "2027-01-04T08:00:00Z",
            "requested_by": practice.admin.user, "due_at": "2027-02-03T08:00:00Z", "cancelled_at": null,
            "erased_at": null, "completed_at": null, "destroyed": [], "findings": [],
            "kept": [{ "what": "invoices", "count": 1, "law": "C. com. L123-22", "until": "2037-01-04" },
                     { "what": "patient_consents", "count": 2, "law": "RGPD, art. 5(2)", "until": null }],
        })
    );
    let again = practice.admin.post_keyed(&ask, "k", json!({})).await.expect(202);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &asked.body));
    practice.admin.post(&ask, json!({})).await.refused(409, "erasure_requested");
    practice.admin.get(&path).await.refused(404, "not_found");
    assert_eq!(practice.admin.get(&erasure).await.expect(200).body, asked.body);
    assert_eq!(practice.admin.get("/api/v1/erasures").await.expect(200).body["items"], json!([asked.body]));
    practice.admin.get(&format!("{erasure}/certificate")).await.refused(409, "erasure_not_completed");
    assert_eq!(
        practice.admin.get(&format!("{erasure}/retained")).await.expect(200).body,
        json!({ "items": [] })
    );
    let cancel = format!("{erasure}/cancel");
    assert_eq!(practice.admin.post(&cancel, json!({})).await.expect(200).body["status"], "cancelled");
    practice.admin.post(&cancel, json!({})).await.refused(409, "erasure_begun");
    practice.admin.get(&path).await.expect(200);
    practice.admin.post(&ask, json!({ "reason": "x" })).await.refused(422, "invalid_input");
}

#[tokio::test]
async fn who_is_expected_is_not_erased() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let (patient, practitioner) = (practice.patient("Zoé", "Noël").await, practice.practitioner("Roy").await);
    practice.booked(&patient, &practitioner, "2027-01-05T10:00", "2027-01-05T10:45").await;
    let ask = format!("/api/v1/patients/{patient}/erasure");
    practice.admin.post(&ask, json!({})).await.refused(409, "has_appointments");
    practice.admin.get(&format!("/api/v1/patients/{patient}")).await.expect(200);
}

#[tokio::test]
async fn only_who_runs_the_practice_erases_and_another_knows_of_nothing() {
    let api = TestApi::start().await;
    let own = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let practitioner = api.member(own.tenant, "dr@lilas.example", Role::Practitioner).await;
    let patient = own.patient("Zoé", "Noël").await;
    let unasked = own.patient("Léa", "Noël").await;
    let id = own.admin.post(&format!("/api/v1/patients/{patient}/erasure"), json!({})).await.expect(202).id();
    let nobody = uuid::Uuid::new_v4();
    let attempts: [(Method, String, Option<Value>); 6] = [
        (Method::POST, format!("/api/v1/patients/{unasked}/erasure"), Some(json!({}))),
        (Method::GET, format!("/api/v1/erasures/{id}"), None),
        (Method::POST, format!("/api/v1/erasures/{id}/cancel"), Some(json!({}))),
        (Method::GET, format!("/api/v1/erasures/{id}/certificate"), None),
        (Method::GET, format!("/api/v1/erasures/{id}/retained"), None),
        (Method::GET, format!("/api/v1/retained/{nobody}"), None),
    ];
    for (method, path, body) in attempts {
        let key = uuid::Uuid::new_v4().to_string();
        let headers = [("idempotency-key", key.as_str())];
        for stranger in [&own.assistant, &practitioner] {
            stranger.send(method.clone(), &path, &headers, body.clone()).await.refused(403, "forbidden");
        }
        other.admin.send(method, &path, &headers, body).await.refused(404, "not_found");
    }
    assert_eq!(other.admin.get("/api/v1/erasures").await.expect(200).body["total"], 0);
    own.assistant.get("/api/v1/erasures").await.refused(403, "forbidden");
}
