//! Patients: written down, found, changed, deleted.

use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::support::{TestApi, patient};

#[tokio::test]
async fn every_problem_is_told_at_once() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let body = json!({
        "first_name": "", "birth_date": "29/02/1984", "email": "helene@", "phone": "12", "language": "de",
        "consents": { "reminder_sms": "yes" }, "nickname": "Lili",
    });
    let answer = practice.assistant.post("/api/v1/patients", body).await;
    answer.refused(422, "invalid_input");
    let mut told: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["field"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("birth_date", "not_a_date"),
            ("consents.reminder_sms", "wrong_type"),
            ("email", "not_an_email"),
            ("first_name", "not_a_text"),
            ("language", "unknown_value"),
            ("last_name", "missing"),
            ("nickname", "unknown_field"),
            ("phone", "not_a_phone"),
        ]
    );
    let phone =
        answer.body["errors"].as_array().unwrap().iter().find(|error| error["field"] == "phone").unwrap();
    assert_eq!(phone["read"], "12");
    assert_eq!(phone["expected"], "a telephone number such as +33612345678 or 06 12 34 56 78");
}

#[tokio::test]
async fn rules_that_span_fields_are_told_together() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let body = json!({
        "first_name": "Zoé", "last_name": "Noël", "birth_date": "2031-01-01", "phone": "01 40 00 00 10",
        "consents": { "reminder_sms": true, "reminder_email": true },
    });
    let answer = practice.assistant.post("/api/v1/patients", body).await;
    let codes: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["impossible_birth_date", "mobile_needed", "email_needed"]);
}

#[tokio::test]
async fn a_patient_is_found_without_accents_and_with_a_slip() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    for (first, last) in [("Hélène", "Garcia"), ("Loïc", "Lefèvre"), ("Helena", "Müller"), ("Noé", "Bénard")]
    {
        practice.patient(first, last).await;
    }
    let found = async |search: &str| -> Vec<String> {
        let answer = practice.assistant.get(&format!("/api/v1/patients?search={search}")).await.expect(200);
        let name = |item: &Value| {
            format!("{} {}", item["first_name"].as_str().unwrap(), item["last_name"].as_str().unwrap())
        };
        answer.body["items"].as_array().unwrap().iter().map(name).collect()
    };
    assert_eq!(found("HELENE+GARCIA").await, ["Hélène Garcia"]);
    assert_eq!(found("garcia+hel").await, ["Hélène Garcia"]);
    assert_eq!(found("lefevre").await, ["Loïc Lefèvre"]);
    assert_eq!(found("lefebvre").await, ["Loïc Lefèvre"], "a slip");
    assert_eq!(found("muller").await, ["Helena Müller"]);
    assert_eq!(found("0600000001").await.len(), 4, "by number");
    assert_eq!(found("xyz").await, Vec::<String>::new());
    assert_eq!(found("%25").await, Vec::<String>::new(), "not a pattern");
}

#[tokio::test]
async fn pages_are_whole_and_ordered_by_name() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    for last in ["Émile", "Dupont", "Zola", "écho", "Fabre"] {
        practice.patient("Zoé", last).await;
    }
    let page = async |query: &str| practice.assistant.get(&format!("/api/v1/patients?{query}")).await;
    let names = |body: &Value| -> Vec<String> {
        body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["last_name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = page("limit=3").await.expect(200).body;
    assert_eq!(names(&first), ["Dupont", "écho", "Émile"]);
    assert_eq!((&first["total"], &first["page"], &first["limit"]), (&json!(5), &json!(1), &json!(3)));
    assert_eq!(names(&page("limit=3&page=2").await.expect(200).body), ["Fabre", "Zola"]);
    let beyond = page("limit=3&page=9").await.expect(200).body;
    assert_eq!((names(&beyond).len(), &beyond["total"]), (0, &json!(5)));
    for bad in ["limit=0", "limit=101", "page=0", "limit=ten", "size=3", "page=1&page=2"] {
        page(bad).await.refused(422, "invalid_input");
    }
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_read() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = practice.patient("Helene", "Garcia").await;
    let path = format!("/api/v1/patients/{id}");
    assert_eq!(practice.assistant.get(&path).await.expect(200).header("etag"), "\"1\"");
    let mut corrected = patient("Hélène", "Garcia");
    corrected["consents"] = json!({});
    let changed = practice.assistant.put(&path, 1, corrected.clone()).await.expect(200);
    assert_eq!((&changed.body["first_name"], changed.header("etag")), (&json!("Hélène"), "\"2\""));
    practice.admin.put(&path, 1, corrected.clone()).await.refused(409, "version_conflict");
    let without = practice.admin.send(reqwest::Method::PUT, &path, &[], Some(corrected)).await;
    without.refused(428, "if_match_missing");

    let consents = practice.assistant.get(&format!("{path}/consents")).await.expect(200);
    let told: Vec<_> =
        consents.body.as_array().unwrap().iter().map(|c| (&c["purpose"], &c["granted"])).collect();
    let (sms, email) = (json!("reminder_sms"), json!("reminder_email"));
    assert_eq!(told, [(&sms, &json!(false)), (&email, &json!(false)), (&sms, &json!(true))], "newest first");
}

#[tokio::test]
async fn a_deleted_patient_is_gone_and_one_who_is_expected_stays() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let (expected, other) = (practice.patient("Zoé", "Noël").await, practice.patient("Noé", "Roy").await);
    let practitioner = practice.practitioner("Roy").await;
    let booking = json!({ "patient_id": expected, "practitioner_id": practitioner,
        "starts_at": "2027-01-05T10:00", "ends_at": "2027-01-05T10:30" });
    practice.assistant.post("/api/v1/appointments", booking).await.expect(201);
    practice.assistant.delete(&format!("/api/v1/patients/{expected}")).await.refused(409, "has_appointments");
    practice
        .admin
        .delete(&format!("/api/v1/practitioners/{practitioner}"))
        .await
        .refused(409, "has_appointments");
    practice.assistant.delete(&format!("/api/v1/patients/{other}")).await.expect(204);
    practice.assistant.get(&format!("/api/v1/patients/{other}")).await.refused(404, "not_found");
    practice.assistant.delete(&format!("/api/v1/patients/{other}")).await.refused(404, "not_found");
    assert_eq!(practice.assistant.get("/api/v1/patients").await.body["total"], 1);
}
