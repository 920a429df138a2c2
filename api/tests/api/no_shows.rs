//! Patients who did not come.

use chrono_tz::Tz;
use permanence_domain::identity::Role;
use serde_json::{Value, json};

use crate::support::{Client, TestApi, at};

#[tokio::test]
async fn a_patient_who_did_not_come_is_noted_and_taken_back() {
    let api = TestApi::start_at(at("2027-01-04T08:58:00Z")).await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Europe__Paris).await;
    let (patient, practitioner) = (practice.patient("Zoé", "Noël").await, practice.practitioner("Roy").await);
    let id = practice.booked(&patient, &practitioner, "2027-01-04T10:00", "2027-01-04T10:30").await;
    let (path, mark) = (format!("/api/v1/appointments/{id}"), format!("/api/v1/appointments/{id}/no-show"));
    let put = async |client: &Client<'_>| client.send(reqwest::Method::PUT, &mark, &[], None).await;
    put(&practice.assistant).await.refused(409, "appointment_not_begun");
    api.clock.set(at("2027-01-04T09:10:00Z"));
    for _ in 0..2 {
        put(&practice.assistant).await.expect(204);
        let marked = practice.assistant.get(&path).await.expect(200).body;
        assert_eq!((&marked["no_show_at"], &marked["version"]), (&json!("2027-01-04T09:10:00Z"), &json!(2)));
    }
    for _ in 0..2 {
        practice.assistant.delete(&mark).await.expect(204);
        let taken_back = practice.assistant.get(&path).await.expect(200).body;
        assert_eq!((&taken_back["no_show_at"], &taken_back["version"]), (&Value::Null, &json!(3)));
    }
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    put(&nurse).await.refused(403, "forbidden");
    put(&other.assistant).await.refused(404, "not_found");
    other.assistant.delete(&mark).await.refused(404, "not_found");
    // Who comes another day has not missed that one.
    put(&practice.assistant).await.expect(204);
    let moved = json!({ "patient_id": patient, "practitioner_id": practitioner, "starts_at": "2027-01-05T10:00",
                        "ends_at": "2027-01-05T10:30" });
    assert_eq!(practice.assistant.put(&path, 4, moved).await.expect(200).body["no_show_at"], Value::Null);
    practice.assistant.delete(&path).await.expect(204);
    put(&practice.assistant).await.refused(409, "appointment_cancelled");
}
