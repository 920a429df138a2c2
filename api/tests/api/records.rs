//! Medical records over HTTP: written, read, written anew, retracted; who may, what is in the trail, and what lies in the database.

use chrono_tz::Tz;
use permanence_domain::{db::Actor, identity::Role};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;

use crate::support::{Client, Practice, TestApi};

const SECRET: &str = "Épaule droite gelée depuis l'accident";

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
        format!("/api/v1/patients/{}/records", self.patient)
    }

    async fn written(&self) -> String {
        self.practitioner.post(&self.path(), note(SECRET)).await.expect(201).id()
    }
}

fn note(text: &str) -> Value {
    json!({ "kind": "consultation", "occurred_on": "2027-01-03", "title": "Épaule", "content": text })
}

async fn trail(api: &TestApi, care: &Care<'_>) -> Vec<String> {
    let mut tx = api.db.tenant(care.practice.tenant, Actor::JOB).await.unwrap();
    sqlx::query_scalar("SELECT action FROM audit_log WHERE action LIKE 'medical_record%' ORDER BY id")
        .fetch_all(tx.conn())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_record_is_written_read_written_anew_and_retracted() {
    let api = TestApi::start().await;
    let care = Care::of(&api, "Lilas").await;
    let written = care.practitioner.post_keyed(&care.path(), "k", note(SECRET)).await.expect(201);
    let path = format!("/api/v1/records/{}", written.id());
    assert_eq!(written.header("location"), path);
    assert_eq!(
        written.body,
        json!({ "id": written.id(), "patient_id": care.patient, "version": 1, "written_at": "2027-01-04T08:00:00Z" }),
        "what was written is not answered, for answers are kept for a day"
    );
    let again = care.practitioner.post_keyed(&care.path(), "k", note(SECRET)).await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &written.body));

    let read = care.practice.assistant.get(&path).await.expect(200);
    assert_eq!((read.header("etag"), &read.body["content"]), ("\"1\"", &json!(SECRET)));
    care.practitioner.put(&path, 2, note("?")).await.refused(409, "version_conflict");
    let anew = care.practitioner.put(&path, 1, note("Récupère bien")).await.expect(200);
    assert_eq!((anew.header("etag"), &anew.body["version"]), ("\"2\"", &json!(2)));
    let now = care.practitioner.get(&path).await.expect(200).body;
    assert_eq!((&now["content"], &now["version"]), (&json!("Récupère bien"), &json!(2)));
    let history = care.practitioner.get(&format!("{path}/versions")).await.expect(200).body;
    let user = care.practitioner.user.to_string();
    let version = |n: i32| {
        json!({ "version": n, "written_at": "2027-01-04T08:00:00Z", "written_by": user, "practitioner_id": null,
            "imported_at": null })
    };
    assert_eq!(history["items"], json!([version(2), version(1)]));
    let before = care.practitioner.get(&format!("{path}/versions/1")).await.expect(200).body;
    assert_eq!((&before["content"], &before["version"]), (&json!(SECRET), &json!(1)));
    care.practitioner.get(&format!("{path}/versions/3")).await.refused(404, "not_found");

    let list = care.practice.assistant.get(&care.path()).await.expect(200).body;
    assert_eq!((&list["total"], &list["items"][0]["title"]), (&json!(1), &json!("Épaule")));
    assert_eq!(list["items"][0].get("content"), None);
    care.practitioner.delete(&path).await.expect(204);
    care.practitioner.delete(&path).await.refused(409, "record_retracted");
    care.practitioner.put(&path, 2, note("?")).await.refused(409, "record_retracted");
    assert_eq!(care.practitioner.get(&care.path()).await.expect(200).body["total"], 0);
    let all = care.practitioner.get(&format!("{}?retracted=true", care.path())).await.expect(200).body;
    assert_eq!(all["items"][0]["retracted_by"], user);
    let words: Vec<String> =
        ["write", "read", "update", "read", "history", "read", "list", "retract", "list", "list"]
            .map(|word| format!("medical_record.{word}"))
            .to_vec();
    assert_eq!(trail(&api, &care).await, words, "every read that gave something, and no other");
}

#[tokio::test]
async fn what_is_written_wrongly_is_told_at_once_and_without_its_words() {
    let api = TestApi::start().await;
    let care = Care::of(&api, "Lilas").await;
    let wrong = json!({ "kind": "poem", "occurred_on": "2028-01-01", "title": "", "content": "a\u{0}b" });
    let told = care.practitioner.post(&care.path(), wrong).await.expect(422).body;
    let errors = told["errors"].as_array().unwrap();
    let codes: Vec<&str> = errors.iter().map(|error| error["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["not_a_text", "unknown_value", "not_a_text"]);
    assert!([0, 2].iter().all(|place| errors[*place].get("read").is_none()), "{told}");
    let mut late = note(SECRET);
    late["occurred_on"] = json!("2027-01-05");
    late["title"] = json!("x".repeat(201));
    let told = care.practitioner.post(&care.path(), late).await.expect(422).body;
    assert_eq!(
        told["errors"].as_array().unwrap().iter().map(|error| &error["code"]).collect::<Vec<_>>(),
        ["in_the_future", "not_a_text"]
    );
    assert_eq!(trail(&api, &care).await, [""; 0]);
}

#[tokio::test]
async fn only_who_cares_writes_and_another_practice_knows_of_nothing() {
    let api = TestApi::start().await;
    let (care, other) = (Care::of(&api, "Lilas").await, Care::of(&api, "Port").await);
    let id = care.written().await;
    let path = format!("/api/v1/records/{id}");
    let attempts: [(Method, String, Option<Value>); 7] = [
        (Method::POST, care.path(), Some(note("x"))),
        (Method::PUT, path.clone(), Some(note("x"))),
        (Method::DELETE, path.clone(), None),
        (Method::GET, care.path(), None),
        (Method::GET, path.clone(), None),
        (Method::GET, format!("{path}/versions"), None),
        (Method::GET, format!("{path}/versions/1"), None),
    ];
    let before = trail(&api, &care).await.len();
    for (place, (method, path, body)) in attempts.into_iter().enumerate() {
        let key = uuid::Uuid::new_v4().to_string();
        let headers = [("idempotency-key", key.as_str()), ("if-match", "1")];
        // Whoever runs the practice reads no record; the front desk reads and never writes.
        care.practice
            .admin
            .send(method.clone(), &path, &headers, body.clone())
            .await
            .refused(403, "forbidden");
        if place < 3 {
            let refused = care.practice.assistant.send(method.clone(), &path, &headers, body.clone()).await;
            refused.refused(403, "forbidden");
        }
        other.practitioner.send(method, &path, &headers, body).await.refused(404, "not_found");
    }
    assert_eq!(trail(&api, &care).await.len(), before);
    assert_eq!(trail(&api, &other).await, [""; 0]);
    care.practice.admin.delete(&format!("/api/v1/patients/{}", care.patient)).await.expect(204);
    care.practitioner.get(&path).await.refused(404, "not_found");
    care.practitioner.get(&format!("{path}/versions")).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_database_holds_no_word_of_it_and_a_row_in_another_place_does_not_open() {
    let api = TestApi::start().await;
    let care = Care::of(&api, "Lilas").await;
    let (first, second) = (care.written().await, care.written().await);
    let mut owner = sqlx::PgConnection::connect_with(&api.database.owner_options()).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'queue') AND c.relkind = 'r'",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    for table in tables {
        let search = format!(
            "SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%' OR t::text LIKE '%' || $2 || '%'"
        );
        // As text, and as the bytes of a column that holds bytes.
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(search))
            .bind("droite gel")
            .bind(hex::encode("droite gel"))
            .fetch_one(&mut owner)
            .await
            .unwrap();
        assert_eq!(found, 0, "{table}");
    }
    let path = format!("/api/v1/records/{second}");
    care.practitioner.get(&path).await.expect(200);
    sqlx::query(
        "UPDATE medical_record_versions SET sealed = (SELECT sealed FROM medical_record_versions WHERE record_id = $1)
         WHERE record_id = $2",
    )
    .bind(first.parse::<uuid::Uuid>().unwrap())
    .bind(second.parse::<uuid::Uuid>().unwrap())
    .execute(&mut owner)
    .await
    .unwrap();
    care.practitioner.get(&path).await.refused(500, "internal");
}
