//! Files over HTTP: handed in, listed, read, retracted; who may, what lies in the store, and what does not open.

use chrono_tz::Tz;
use permanence_domain::{db::Actor, files::jobs::ClearFile, identity::Role};
use permanence_queue::Job;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Practice, TestApi};

const FILES: &str = "/api/v1/files";
const SECRET: &str = "compte rendu du laboratoire";

/// A PDF of some chunks, as letters.
fn pdf() -> String {
    format!("%PDF-1.7\n{}\n%%EOF\n", format!("{SECRET}\n").repeat(7_000))
}

struct House<'a> {
    practice: Practice<'a>,
    practitioner: Client<'a>,
    patient: String,
}

impl<'a> House<'a> {
    async fn of(api: &'a TestApi, name: &str) -> Self {
        let practice = api.practice(name, Tz::Europe__Paris).await;
        let email = format!("dr@{}.example", name.to_lowercase());
        let practitioner = api.member(practice.tenant, &email, Role::Practitioner).await;
        let patient = practice.patient("Zoé", "Noël").await;
        Self { practice, practitioner, patient }
    }

    /// A file of the patient.
    async fn handed(&self, file: String) -> String {
        let query = format!("kind=report&patient_id={}", self.patient);
        let key = uuid::Uuid::new_v4().to_string();
        hand_in(&self.practice.assistant, &query, &key, file).await.expect(201).id()
    }
}

async fn hand_in(client: &Client<'_>, query: &str, key: &str, file: impl Into<Vec<u8>>) -> Answer {
    client.upload(&format!("{FILES}?{query}"), key, "application/octet-stream", file.into()).await
}

async fn trail(api: &TestApi, house: &House<'_>) -> Vec<String> {
    let mut tx = api.db.tenant(house.practice.tenant, Actor::JOB).await.unwrap();
    sqlx::query_scalar("SELECT action FROM audit_log WHERE action LIKE 'file.%' ORDER BY id")
        .fetch_all(tx.conn())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_file_is_handed_in_once_listed_read_and_retracted() {
    let api = TestApi::start().await;
    let house = House::of(&api, "Lilas").await;
    let assistant = &house.practice.assistant;
    let query = format!("kind=certificate&patient_id={}", house.patient);
    let taken = hand_in(assistant, &query, "k", pdf()).await.expect(201);
    let path = format!("{FILES}/{}", taken.id());
    assert_eq!(taken.header("location"), path);
    let told = (&taken.body["kind"], &taken.body["media_type"], &taken.body["bytes"]);
    assert_eq!(told, (&json!("certificate"), &json!("application/pdf"), &json!(pdf().len())));
    let again = hand_in(assistant, &query, "k", pdf()).await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &taken.body));
    hand_in(assistant, &query, "k", "%PDF-1.7 other %%EOF").await.refused(422, "idempotency_key_reused");
    assert_eq!(api.objects("files"), 1, "files of no use are removed");

    assert_eq!(house.practitioner.get(&path).await.expect(200).body, taken.body);
    let content = house.practitioner.get(&format!("{path}/content")).await.expect(200);
    assert_eq!(content.body, json!(pdf()));
    assert_eq!(content.header("content-type"), "application/pdf");
    assert_eq!(content.header("x-content-type-options"), "nosniff");
    let disposition = format!("attachment; filename=\"{}.pdf\"", taken.id());
    assert_eq!(content.header("content-disposition"), disposition);
    let list = format!("{FILES}?patient_id={}", house.patient);
    assert_eq!(assistant.get(&list).await.expect(200).body["items"], json!([taken.body]));
    assert_eq!(assistant.get(FILES).await.expect(200).body["total"], 0, "the practice's own are others");
    let words = ["write", "look", "read", "list"].map(|word| format!("file.{word}"));
    assert_eq!(trail(&api, &house).await, words);

    assistant.delete(&path).await.expect(204);
    assistant.delete(&path).await.refused(404, "not_found");
    assistant.get(&path).await.refused(404, "not_found");
    assistant.get(&format!("{path}/content")).await.refused(404, "not_found");
    assert_eq!(api.objects("files"), 1, "the law keeps what is a patient's");
}

#[tokio::test]
async fn the_store_holds_no_word_of_it_and_what_was_changed_there_does_not_open() {
    let api = TestApi::start().await;
    let house = House::of(&api, "Lilas").await;
    let first = house.handed(pdf()).await;
    let [object] = &api.object_files("files")[..] else { panic!("one object") };
    let sealed = std::fs::read(object).unwrap();
    assert!(!sealed.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()));
    let path = format!("{FILES}/{first}/content");

    // Whatever opens at its begin and not later breaks off: nobody takes it for whole.
    let mut late = sealed.clone();
    *late.last_mut().unwrap() ^= 1;
    std::fs::write(object, &late).unwrap();
    let cut = &sealed[..sealed.len() - 1];
    for broken in [&late[..], cut] {
        std::fs::write(object, broken).unwrap();
        let request = api.http.get(format!("{}{path}", api.base)).bearer_auth(&house.practitioner.token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.is_err());
    }
    let mut early = sealed.clone();
    early[100] ^= 1;
    std::fs::write(object, &early).unwrap();
    house.practitioner.get(&path).await.refused(500, "internal");
    std::fs::remove_file(object).unwrap();
    house.practitioner.get(&path).await.refused(404, "not_found");

    // Of two files that changed places, neither opens.
    std::fs::write(object, &sealed).unwrap();
    house.practitioner.get(&path).await.expect(200);
    let second = house.handed(pdf()).await;
    let other = api.object_files("files").into_iter().find(|file| file != object).unwrap();
    let theirs = std::fs::read(&other).unwrap();
    std::fs::write(object, &theirs).unwrap();
    std::fs::write(&other, &sealed).unwrap();
    house.practitioner.get(&path).await.refused(500, "internal");
    house.practitioner.get(&format!("{FILES}/{second}/content")).await.refused(500, "internal");
}

#[tokio::test]
async fn what_it_is_is_read_from_the_file_and_everything_else_is_refused() {
    let api = TestApi::start().await;
    let house = House::of(&api, "Lilas").await;
    let assistant = &house.practice.assistant;
    let errors = async |query: &str, file: &str| -> Vec<(String, String)> {
        let answer = hand_in(assistant, query, "k", file).await.expect(422);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = answer.body["errors"].as_array().unwrap().iter();
        errors.map(|error| (text(&error["field"]), text(&error["code"]))).collect()
    };
    let of = |field: &str, code: &str| vec![(field.to_owned(), code.to_owned())];
    assert_eq!(errors("kind=other", "<html>").await, of("body", "not_a_file"));
    assert_eq!(errors("kind=other", "").await, of("body", "not_a_file"));
    assert_eq!(errors("kind=other", "%PDF-1.7 cut").await, of("body", "not_a_file"));
    assert_eq!(errors("", "%PDF-1.7 %%EOF").await, of("kind", "missing"));
    assert_eq!(errors("kind=poem", "%PDF-1.7 %%EOF").await, of("kind", "unknown_value"));
    assert_eq!(errors("kind=other&patient_id=1", "%PDF-1.7 %%EOF").await, of("patient_id", "not_a_uuid"));
    let large = format!("%PDF-1.7 {} %%EOF", "x".repeat(10 * 1024 * 1024));
    hand_in(assistant, "kind=other", "k", large).await.refused(413, "body_too_large");
    let stranger = format!("kind=other&patient_id={}", uuid::Uuid::new_v4());
    hand_in(assistant, &stranger, "k", pdf()).await.refused(404, "not_found");
    assert_eq!(api.objects("files"), 0);
    let lying = assistant.upload(&format!("{FILES}?kind=other"), "k", "image/png", pdf().into()).await;
    assert_eq!(lying.expect(201).body["media_type"], "application/pdf");
}

#[tokio::test]
async fn a_patients_files_are_for_those_who_read_records_and_another_practice_knows_of_nothing() {
    let api = TestApi::start().await;
    let (house, other) = (House::of(&api, "Lilas").await, House::of(&api, "Port").await);
    let id = house.handed(pdf()).await;
    let paths = [
        (Method::GET, format!("{FILES}/{id}")),
        (Method::GET, format!("{FILES}/{id}/content")),
        (Method::GET, format!("{FILES}?patient_id={}", house.patient)),
        (Method::DELETE, format!("{FILES}/{id}")),
    ];
    let stranger = api.member(house.practice.tenant, "rh@lilas.example", Role::HrAdmin).await;
    let nurse = api.member(house.practice.tenant, "ide@lilas.example", Role::Nurse).await;
    for (method, path) in paths {
        for refused in [&house.practice.admin, &stranger] {
            refused.send(method.clone(), &path, &[], None).await.refused(403, "forbidden");
        }
        other.practitioner.send(method, &path, &[], None).await.refused(404, "not_found");
    }
    let query = format!("kind=other&patient_id={}", house.patient);
    hand_in(&house.practice.admin, &query, "k", pdf()).await.refused(403, "forbidden");
    hand_in(&stranger, "kind=other", "k", pdf()).await.refused(403, "forbidden");
    hand_in(&other.practitioner, &query, "k", pdf()).await.refused(404, "not_found");
    assert_eq!(api.objects("files"), 1, "what was refused is removed");
    nurse.get(&format!("{FILES}/{id}/content")).await.expect(200);
    nurse.delete(&format!("{FILES}/{id}")).await.refused(403, "forbidden");
    house.practitioner.delete(&format!("{FILES}/{id}")).await.expect(204);
}

#[tokio::test]
async fn the_practices_own_files_are_everybodys_and_a_retracted_one_is_removed() {
    let api = TestApi::start().await;
    let house = House::of(&api, "Lilas").await;
    let nurse = api.member(house.practice.tenant, "ide@lilas.example", Role::Nurse).await;
    let id = hand_in(&nurse, "kind=document", "k", pdf()).await.expect(201).id();
    let path = format!("{FILES}/{id}");
    for reader in [&house.practice.admin, &house.practice.assistant, &house.practitioner] {
        assert_eq!(reader.get(&format!("{path}/content")).await.expect(200).body, json!(pdf()));
    }
    house.practice.assistant.delete(&path).await.refused(403, "forbidden");
    house.practice.admin.delete(&path).await.expect(204);
    let jobs = house.practice.admin.get("/api/v1/jobs").await.expect(200).body;
    let kinds: Vec<&Value> = jobs["items"].as_array().unwrap().iter().map(|job| &job["kind"]).collect();
    assert_eq!(kinds, [ClearFile::KIND]);
}
