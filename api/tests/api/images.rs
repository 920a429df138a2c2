//! Pictures over HTTP: announced, sent to the store, completed; who may, and what the patient's consent decides. What becomes of
//! them is tried where jobs are performed.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use permanence_domain::{db::Actor, files::jobs::TakeImage, identity::Role};
use permanence_queue::Job;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Practice, TestApi};

const SECRET: &str = "Épaule gelée";
const BYTES: &[u8] = b"not really a picture";

struct Care<'a> {
    practice: Practice<'a>,
    practitioner: Client<'a>,
    patient: String,
}

impl<'a> Care<'a> {
    async fn of(api: &'a TestApi, name: &str) -> Self {
        let practice = api.practice(name, Tz::Europe__Paris).await;
        let email = format!("dr@{}.example", name.to_lowercase());
        let practitioner = api.member(practice.tenant, &email, Role::Practitioner).await;
        let patient = practice.patient("Zoé", "Noël").await;
        Self { practice, practitioner, patient }
    }

    fn path(&self) -> String {
        format!("/api/v1/patients/{}/images", self.patient)
    }

    /// The patient answers.
    async fn consents(&self, consents: Value) -> Answer {
        let path = format!("/api/v1/patients/{}", self.patient);
        let version = self.practice.assistant.get(&path).await.expect(200).body["version"].as_i64().unwrap();
        let mut body = crate::support::patient("Zoé", "Noël");
        body["consents"] = consents;
        self.practice.assistant.put(&path, version, body).await.expect(200)
    }

    async fn announced(&self) -> Answer {
        self.practitioner.post(&self.path(), picture()).await.expect(201)
    }
}

fn picture() -> Value {
    json!({ "media_type": "image/jpeg", "bytes": BYTES.len(), "taken_on": "2027-01-03", "title": SECRET,
            "body_part": "Épaule" })
}

/// Sends bytes to where an announcement says; gives the store's answer.
async fn sent(api: &TestApi, announced: &Answer, bytes: &[u8], changes: &[(&str, &str)]) -> u16 {
    let mut headers: BTreeMap<String, String> =
        serde_json::from_value(announced.body["upload_headers"].clone()).unwrap();
    headers.remove("content-length");
    headers.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut request = api.http.put(announced.body["upload_url"].as_str().unwrap()).body(bytes.to_vec());
    for (name, value) in &headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_picture_is_announced_sent_and_completed() {
    let api = TestApi::start().await;
    let care = Care::of(&api, "Lilas").await;
    care.practitioner.post(&care.path(), picture()).await.refused(409, "imaging_not_consented");
    care.consents(json!({ "imaging": true })).await;
    let announced = care.practitioner.post_keyed(&care.path(), "k", picture()).await.expect(201);
    let path = format!("/api/v1/images/{}", announced.id());
    assert_eq!((announced.header("location"), &announced.body["status"]), (&path[..], &json!("awaiting")));
    let told = announced.body.to_string();
    assert!(!told.contains(SECRET), "answers are kept for a day: {told}");
    let again = care.practitioner.post_keyed(&care.path(), "k", picture()).await.expect(201);
    assert_eq!(again.body, announced.body);

    // The link is for these bytes, of this type, and for nothing else.
    assert_eq!(sent(&api, &announced, b"x", &[]).await, 403);
    assert_eq!(sent(&api, &announced, BYTES, &[("content-type", "text/html")]).await, 403);
    assert_eq!(api.objects("uploads"), 0);
    assert_eq!(sent(&api, &announced, BYTES, &[]).await, 200);
    assert_eq!(api.objects("uploads"), 1);

    let asked = care.practitioner.post_keyed(&format!("{path}/complete"), "c", json!({})).await.expect(202);
    assert_eq!((asked.header("location"), &asked.body["status"]), (&path[..], &json!("checking")));
    let twice = care.practitioner.post_keyed(&format!("{path}/complete"), "c", json!({})).await.expect(202);
    assert_eq!(twice.header("idempotency-replayed"), "true");
    let other = care.practitioner.post(&format!("{path}/complete"), json!({})).await;
    other.refused(409, "image_not_awaited");
    let jobs = care.practice.admin.get("/api/v1/jobs").await.expect(200).body;
    assert_eq!(jobs["items"].as_array().unwrap().len(), 1);
    assert_eq!(jobs["items"][0]["kind"], TakeImage::KIND);

    let image = care.practice.assistant.get(&path).await.expect(200).body;
    assert_eq!((&image["title"], &image["taken_on"]), (&json!(SECRET), &json!("2027-01-03")));
    assert_eq!((&image["status"], &image["links"]), (&json!("checking"), &Value::Null));
    let list = care.practice.assistant.get(&care.path()).await.expect(200).body;
    assert_eq!(list["items"], json!([image]));
    care.practitioner.delete(&path).await.expect(204);
    care.practitioner.delete(&path).await.refused(409, "image_retracted");
    assert_eq!(care.practitioner.get(&care.path()).await.expect(200).body["total"], 0);
    let all = care.practitioner.get(&format!("{}?retracted=true", care.path())).await.expect(200).body;
    assert_eq!(all["items"][0]["reason"], "retracted");
    let mut tx = api.db.tenant(care.practice.tenant, Actor::JOB).await.unwrap();
    let trail: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_log WHERE action LIKE 'image.%' ORDER BY id")
            .fetch_all(tx.conn())
            .await
            .unwrap();
    let words = ["invite", "complete", "read", "list", "retract", "list", "list"];
    assert_eq!(trail, words.map(|word| format!("image.{word}")));
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed FROM images").fetch_one(tx.conn()).await.unwrap();
    assert!(!sealed.windows(4).any(|bytes| bytes == b"gel\xc3"), "what it shows is sealed");
}

#[tokio::test]
async fn consent_to_pictures_is_never_withdrawn_by_an_omission() {
    let api = TestApi::start().await;
    let care = Care::of(&api, "Lilas").await;
    let told = care.consents(json!({ "reminder_sms": true, "imaging": true })).await.body;
    assert_eq!(told["consents"], json!({ "reminder_sms": true, "reminder_email": false, "imaging": true }));
    let told = care.consents(json!({ "reminder_sms": true })).await.body;
    assert_eq!(told["consents"]["imaging"], true);
    let id = care.announced().await.id();
    let told = care.consents(json!({ "reminder_sms": true, "imaging": false })).await.body;
    assert_eq!(told["consents"]["imaging"], false);
    let history = care.practice.assistant.get(&format!("/api/v1/patients/{}/consents", care.patient)).await;
    let history = history.expect(200).body;
    let imaging: Vec<&Value> = history
        .as_array()
        .unwrap()
        .iter()
        .filter(|answer| answer["purpose"] == "imaging")
        .map(|answer| &answer["granted"])
        .collect();
    assert_eq!(imaging, [&json!(false), &json!(true)]);

    let image = care.practitioner.get(&format!("/api/v1/images/{id}")).await.expect(200).body;
    assert_eq!((&image["status"], &image["reason"]), (&json!("refused"), &json!("consent_withdrawn")));
    let late = care.practitioner.post(&format!("/api/v1/images/{id}/complete"), json!({})).await;
    late.refused(409, "image_not_awaited");
    care.practitioner.post(&care.path(), picture()).await.refused(409, "imaging_not_consented");
}

#[tokio::test]
async fn what_is_announced_wrongly_is_told_at_once() {
    let api = TestApi::start().await;
    let care = Care::of(&api, "Lilas").await;
    let codes = async |body: Value| -> Vec<(String, String)> {
        let told = care.practitioner.post(&care.path(), body).await.expect(422).body;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = told["errors"].as_array().unwrap().iter();
        errors.map(|error| (text(&error["field"]), text(&error["code"]))).collect()
    };
    let of = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect()
    };
    let wrong = json!({ "media_type": "image/gif", "bytes": 20_971_521, "sha256": "00", "taken_on": "2027-01-03",
                        "title": "", "colour": "red" });
    let mut told = codes(wrong).await;
    told.sort();
    let expected = [
        ("bytes", "not_a_count"),
        ("colour", "unknown_field"),
        ("media_type", "unknown_value"),
        ("sha256", "not_a_hash"),
        ("title", "not_a_text"),
    ];
    assert_eq!(told, of(&expected));
    let mut late = picture();
    late["taken_on"] = json!("2027-01-05");
    late["title"] = json!("x".repeat(201));
    late["body_part"] = json!("a\nb");
    let expected = [("taken_on", "in_the_future"), ("title", "not_a_text"), ("body_part", "not_a_text")];
    assert_eq!(codes(late).await, of(&expected));
}

#[tokio::test]
async fn only_who_cares_takes_pictures_and_another_practice_knows_of_nothing() {
    let api = TestApi::start().await;
    let (care, other) = (Care::of(&api, "Lilas").await, Care::of(&api, "Port").await);
    care.consents(json!({ "imaging": true })).await;
    let path = format!("/api/v1/images/{}", care.announced().await.id());
    let attempts: [(Method, String, Option<Value>); 5] = [
        (Method::POST, care.path(), Some(picture())),
        (Method::POST, format!("{path}/complete"), Some(json!({}))),
        (Method::DELETE, path.clone(), None),
        (Method::GET, care.path(), None),
        (Method::GET, path.clone(), None),
    ];
    for (place, (method, path, body)) in attempts.into_iter().enumerate() {
        let key = uuid::Uuid::new_v4().to_string();
        let headers = [("idempotency-key", key.as_str())];
        let refused = care.practice.admin.send(method.clone(), &path, &headers, body.clone()).await;
        refused.refused(403, "forbidden");
        if place < 3 {
            let refused = care.practice.assistant.send(method.clone(), &path, &headers, body.clone()).await;
            refused.refused(403, "forbidden");
        }
        other.practitioner.send(method, &path, &headers, body).await.refused(404, "not_found");
    }
    assert_eq!(care.practitioner.get(&path).await.expect(200).body["status"], "awaiting");
}
