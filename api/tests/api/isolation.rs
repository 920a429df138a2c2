//! The other tenant: every route that names a resource answers as if it did not exist.

use chrono_tz::Tz;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApi, patient};

#[tokio::test]
async fn another_tenants_resources_do_not_exist() {
    let api = TestApi::start().await;
    let own = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let ids = [own.patient("Zoé", "Noël").await, own.practitioner("Roy").await, own.room("Cabinet 1").await];
    let [patient_id, practitioner_id, room_id] = &ids;
    let booking = json!({ "patient_id": patient_id, "practitioner_id": practitioner_id, "room_id": room_id,
        "starts_at": "2027-01-15T14:30", "ends_at": "2027-01-15T15:00" });
    let appointment = own.assistant.post("/api/v1/appointments", booking.clone()).await.expect(201).id();
    let named = json!({ "first_name": "A", "last_name": "B" });
    let member = own.assistant.user;
    let (v1, if_match) = ("/api/v1", [("if-match", "1")]);
    let attempts = [
        (Method::GET, format!("{v1}/patients/{patient_id}"), None),
        (Method::GET, format!("{v1}/patients/{patient_id}/consents"), None),
        (Method::PUT, format!("{v1}/patients/{patient_id}"), Some(patient("A", "B"))),
        (Method::DELETE, format!("{v1}/patients/{patient_id}"), None),
        (Method::GET, format!("{v1}/practitioners/{practitioner_id}"), None),
        (Method::PUT, format!("{v1}/practitioners/{practitioner_id}"), Some(named)),
        (Method::DELETE, format!("{v1}/practitioners/{practitioner_id}"), None),
        (Method::GET, format!("{v1}/rooms/{room_id}"), None),
        (Method::PUT, format!("{v1}/rooms/{room_id}"), Some(json!({ "name": "B" }))),
        (Method::DELETE, format!("{v1}/rooms/{room_id}"), None),
        (Method::GET, format!("{v1}/appointments/{appointment}"), None),
        (Method::PUT, format!("{v1}/appointments/{appointment}"), Some(booking.clone())),
        (Method::DELETE, format!("{v1}/appointments/{appointment}"), None),
        (Method::GET, format!("{v1}/appointments/{appointment}/messages"), None),
        (Method::GET, format!("{v1}/users/{member}"), None),
        (Method::PATCH, format!("{v1}/users/{member}/role"), Some(json!({ "role": "nurse" }))),
        (Method::DELETE, format!("{v1}/users/{member}"), None),
    ];
    for (method, path, body) in attempts {
        let answer = other.admin.send(method.clone(), &path, &if_match, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (404, &json!("not_found")),
            "{method} {path}"
        );
    }
    let again = format!("{v1}/users/{member}/invitations");
    other.admin.post(&again, json!({})).await.refused(404, "not_found");

    // A reference to another's row is a reference to nothing.
    let stranger = other.assistant.post("/api/v1/appointments", booking).await;
    let fields: Vec<_> =
        stranger.body["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!(fields, ["patient_id", "practitioner_id", "room_id"]);
    // Nor does a name or a number that another uses stand in the way.
    other.room("Cabinet 1").await;
    for list in ["patients", "practitioners", "users"] {
        let items = other.admin.get(&format!("/api/v1/{list}")).await.expect(200).body;
        let text = items.to_string();
        assert!(
            ids.iter().chain([&appointment, &member.to_string()]).all(|id| !text.contains(id.as_str())),
            "{list}"
        );
    }
}

#[tokio::test]
async fn another_tenants_availability_does_not_exist() {
    let api = TestApi::start().await;
    let own = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let (practitioner, room) = (own.practitioner("Roy").await, own.room("Cabinet 1").await);
    let (path, if_match) = ("/api/v1/availability", [("if-match", "1")]);
    let rule = json!({ "weekday": 5, "from": "14:00", "to": "18:00", "room_id": room });
    let mut of_rule = json!({ "practitioner_id": practitioner, "rule": rule });
    let entry = own.admin.post(path, of_rule.clone()).await.expect(201).id();
    let question = format!("practitioner_id={practitioner}&from=2027-01-15&to=2027-01-15");
    let attempts = [
        (Method::GET, format!("{path}/{practitioner}"), None),
        (Method::PUT, format!("{path}/{practitioner}"), Some(json!({ "rules": [] }))),
        (Method::GET, format!("{path}/slots?{question}"), None),
        (Method::GET, format!("{path}/entries/{entry}"), None),
        (Method::PUT, format!("{path}/entries/{entry}"), Some(json!({ "rule": rule }))),
        (Method::DELETE, format!("{path}/entries/{entry}"), None),
    ];
    for (method, path, body) in attempts {
        other.admin.send(method, &path, &if_match, body).await.refused(404, "not_found");
    }
    // A reference to another's row is a reference to nothing.
    let stranger = other.admin.post(path, of_rule.clone()).await;
    assert_eq!(stranger.body["errors"][0]["code"], "unknown_practitioner");
    of_rule["practitioner_id"] = json!(other.practitioner("Payet").await);
    let stranger = other.admin.post(path, of_rule).await;
    assert_eq!(stranger.body["errors"][0]["code"], "unknown_room");
    assert_eq!(own.admin.get(&format!("{path}/entries/{entry}")).await.expect(200).body["version"], 1);
}
