//! What is known of a person over HTTP: asked for, followed, fetched; who may, and what is refused.

use std::io::Write;

use chrono_tz::Tz;
use permanence_domain::{
    access,
    config::Env,
    db::Actor,
    exports::{self, Written},
    identity::Role,
    ids::{AccessRequestId, TenantId},
    vault::{SealedWriter, Vault},
};
use serde_json::{Value, json};

use crate::support::{Client, MASTER_KEYS, Practice, TestApi, at};

const OWN: &str = "/api/v1/users/me/export";
const FILE: &[u8] = b"PK what is known";

fn ask(patient: &str) -> String {
    format!("/api/v1/patients/{patient}/access-request")
}

fn path(id: &str) -> String {
    format!("/api/v1/access-requests/{id}")
}

/// Has a request's file written as a worker would.
async fn written(api: &TestApi, tenant: TenantId, id: &str) {
    let id: AccessRequestId = id.parse().unwrap();
    let vault = Vault::read(&mut Env::of([("MASTER_KEYS".to_owned(), MASTER_KEYS.to_owned())])).unwrap();
    let mut tx = api.db.tenant(tenant, Actor::JOB).await.unwrap();
    let task = access::begin_task(&mut tx, &vault, id).await.unwrap().expect("something to write");
    let mut sealed = SealedWriter::new(Vec::new(), task.key, task.place);
    sealed.write_all(FILE).unwrap();
    let sealed = sealed.finish().unwrap();
    api.storage().put(&task.turn.key, "application/octet-stream", sealed).await.unwrap();
    let written = Written { rows: 1, size_bytes: i64::try_from(FILE.len()).unwrap(), sha256: [7; 32] };
    assert_eq!(exports::complete(&mut tx, &task.turn, &written).await.unwrap(), exports::End::Now);
    tx.commit().await.unwrap();
}

async fn trail(api: &TestApi, tenant: TenantId, like: &str) -> Vec<String> {
    let mut tx = api.db.tenant(tenant, Actor::JOB).await.unwrap();
    sqlx::query_scalar("SELECT action FROM audit_log WHERE action LIKE $1 ORDER BY id")
        .bind(like)
        .fetch_all(tx.conn())
        .await
        .unwrap()
}

/// A practice with a practitioner and a patient.
async fn care<'a>(api: &'a TestApi, name: &str) -> (Practice<'a>, Client<'a>, String) {
    let practice = api.practice(name, Tz::Europe__Paris).await;
    let email = format!("dr@{}.example", name.to_lowercase());
    let practitioner = api.member(practice.tenant, &email, Role::Practitioner).await;
    let patient = practice.patient("Zoé", "Noël").await;
    (practice, practitioner, patient)
}

#[tokio::test]
async fn a_patients_data_are_asked_for_followed_and_fetched_until_their_time_is_over() {
    let api = TestApi::start_at(at("2027-01-31T08:00:00Z")).await;
    let (practice, practitioner, patient) = care(&api, "Lilas").await;
    let asked = practitioner.post_keyed(&ask(&patient), "k", json!({})).await.expect(202);
    let id = asked.id();
    assert_eq!((asked.header("location"), asked.header("retry-after")), (path(&id).as_str(), "1"));
    assert_eq!(
        asked.body,
        json!({
            "id": id, "patient_id": patient, "user_id": null, "standing": "open", "status": "queued", "requested_at": "2027-01-31T08:00:00Z",
            "requested_by": practitioner.user, "due_on": "2027-02-28", "completed_at": null, "fetched_at": null,
            "expires_at": null, "size_bytes": null, "sha256": null, "failure": null,
        })
    );
    let again = practitioner.post_keyed(&ask(&patient), "k", json!({})).await.expect(202);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &asked.body));
    assert_eq!(practice.admin.post(&ask(&patient), json!({})).await.expect(202).id(), id, "it is at work");
    let download = format!("{}/download", path(&id));
    practitioner.get(&download).await.refused(409, "access_file_not_ready");

    written(&api, practice.tenant, &id).await;
    let there = practice.admin.get(&path(&id)).await.expect(200).body;
    assert_eq!(
        (&there["status"], &there["size_bytes"], &there["expires_at"], &there["fetched_at"]),
        (&json!("completed"), &json!(FILE.len()), &json!("2027-02-01T08:00:00Z"), &Value::Null)
    );
    let file = practitioner.get(&download).await.expect(200);
    assert_eq!(file.body, String::from_utf8_lossy(FILE).as_ref());
    assert_eq!(file.header("content-type"), "application/zip");
    assert_eq!(file.header("content-length"), FILE.len().to_string());
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"donnees-2027-01-31.zip\"");
    practice.admin.get(&download).await.expect(200);
    let requests = ["patient.access_request"; 2];
    let downloads = ["patient.access_download"; 2];
    assert_eq!(trail(&api, practice.tenant, "patient.access%").await, [requests, downloads].concat());
    assert_eq!(practitioner.get(&path(&id)).await.expect(200).body["fetched_at"], "2027-01-31T08:00:00Z");
    // It is no export of the practice's, and its job tells nothing that is in it.
    assert_eq!(practice.admin.get("/api/v1/exports").await.expect(200).body["total"], 0);

    api.clock.set(at("2027-02-01T08:00:00Z"));
    let practice = practice.signed_in_again(&api).await;
    practice.admin.get(&download).await.refused(409, "access_file_over");
    assert_eq!(practice.admin.get(&path(&id)).await.expect(200).body["status"], "expired");
    assert_ne!(practice.admin.post(&ask(&patient), json!({})).await.expect(202).id(), id);
}

#[tokio::test]
async fn the_practice_sees_what_waits_for_an_answer_first_and_by_its_last_day() {
    const LIST: &str = "/api/v1/access-requests";
    let api = TestApi::start_at(at("2027-01-05T08:00:00Z")).await;
    let (practice, practitioner, first) = care(&api, "Lilas").await;
    let asked = async |practice: &Practice<'_>, patient: &str| {
        practice.admin.post(&ask(patient), json!({})).await.expect(202).id()
    };
    let answered = asked(&practice, &first).await;
    written(&api, practice.tenant, &answered).await;
    practitioner.get(&format!("{}/download", path(&answered))).await.expect(200);
    let second = practice.patient("Ève", "Roux").await;
    let overdue = asked(&practice, &second).await;
    practitioner.post(OWN, json!({})).await.expect(202);
    api.clock.set(at("2027-02-06T08:00:00Z"));
    let practice = practice.signed_in_again(&api).await;
    let third = practice.patient("Léa", "Petit").await;
    let open = asked(&practice, &third).await;

    let page = practice.admin.get(LIST).await.expect(200).body;
    let told: Vec<[&Value; 3]> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ["id", "standing", "due_on"].map(|name| &row[name]))
        .collect();
    assert_eq!(
        told,
        [
            [&json!(overdue), &json!("overdue"), &json!("2027-02-05")],
            [&json!(open), &json!("open"), &json!("2027-03-06")],
            [&json!(answered), &json!("answered"), &json!("2027-02-05")],
        ],
        "a user's own is not among them"
    );
    assert_eq!(page["total"], 3);
    for (standing, id) in [("overdue", &overdue), ("open", &open), ("answered", &answered)] {
        let page = practice.admin.get(&format!("{LIST}?standing={standing}")).await.expect(200).body;
        assert_eq!((&page["total"], &page["items"][0]["id"]), (&json!(1), &json!(id)), "{standing}");
    }
    assert_eq!(practice.admin.get(&format!("{LIST}?standing=void")).await.expect(200).body["total"], 0);
    let second_page = practice.admin.get(&format!("{LIST}?limit=1&page=2")).await.expect(200).body;
    assert_eq!((&second_page["total"], &second_page["items"][0]["id"]), (&json!(3), &json!(open)));
    practice.admin.get(&format!("{LIST}?standing=late")).await.refused(422, "invalid_input");
    practice.assistant.get(LIST).await.refused(403, "forbidden");
    let port = api.practice("Port", Tz::Europe__Paris).await;
    assert_eq!(port.admin.get(LIST).await.expect(200).body["total"], 0);
    // Asked anew and fetched: the one that was late is answered by it.
    let anew = asked(&practice, &second).await;
    written(&api, practice.tenant, &anew).await;
    practice.admin.get(&format!("{}/download", path(&anew))).await.expect(200);
    assert_eq!(practice.admin.get(&path(&overdue)).await.expect(200).body["standing"], "answered");
}

#[tokio::test]
async fn whoever_may_not_is_refused_and_another_tenants_does_not_exist() {
    let api = TestApi::start().await;
    let (practice, practitioner, patient) = care(&api, "Lilas").await;
    let id = practitioner.post(&ask(&patient), json!({})).await.expect(202).id();
    written(&api, practice.tenant, &id).await;
    let download = format!("{}/download", path(&id));
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    for caller in [&nurse, &practice.assistant] {
        caller.post(&ask(&patient), json!({})).await.refused(403, "forbidden");
        caller.get(&path(&id)).await.refused(403, "forbidden");
        caller.get(&download).await.refused(403, "forbidden");
    }
    let port = api.practice("Port", Tz::Europe__Paris).await;
    port.admin.post(&ask(&patient), json!({})).await.refused(404, "not_found");
    port.admin.get(&path(&id)).await.refused(404, "not_found");
    port.admin.get(&download).await.refused(404, "not_found");
    practitioner.post(&ask("seven"), json!({})).await.refused(422, "invalid_input");
    practitioner.post(&ask(&patient), json!({ "all": true })).await.refused(422, "invalid_input");
    api.get(&download).await.refused(401, "missing_token");
    // A deleted patient keeps the right.
    practice.admin.delete(&format!("/api/v1/patients/{patient}")).await.expect(204);
    practitioner.post(&ask(&patient), json!({})).await.expect(202);
}

#[tokio::test]
async fn everybody_gets_their_own_data_and_nobody_elses() {
    let api = TestApi::start().await;
    let (practice, practitioner, _) = care(&api, "Lilas").await;
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    nurse.get(OWN).await.refused(404, "not_found");
    nurse.get(&format!("{OWN}/download")).await.refused(404, "not_found");
    let asked = nurse.post_keyed(OWN, "k", json!({})).await.expect(202);
    assert_eq!(asked.header("location"), OWN);
    assert_eq!((&asked.body["user_id"], &asked.body["status"]), (&json!(nurse.user), &json!("queued")));
    let again = nurse.post_keyed(OWN, "k", json!({})).await.expect(202);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &asked.body));
    nurse.get(&format!("{OWN}/download")).await.refused(409, "access_file_not_ready");
    written(&api, practice.tenant, &asked.id()).await;
    assert_eq!(nurse.get(OWN).await.expect(200).body["status"], "completed");
    let file = nurse.get(&format!("{OWN}/download")).await.expect(200);
    assert_eq!(file.body, String::from_utf8_lossy(FILE).as_ref());
    assert_eq!(trail(&api, practice.tenant, "user.export%").await, ["user.export", "user.export_download"]);
    // Whoever looks after patients' requests has no business with it.
    practitioner.get(OWN).await.refused(404, "not_found");
    practice.admin.get(&path(&asked.id())).await.refused(404, "not_found");
    practice.admin.get(&format!("{}/download", path(&asked.id()))).await.refused(404, "not_found");
    // An employee of a company, who may nothing else, may this.
    let operator = api.operator_as(Role::PlatformAdmin).await;
    operator.post(OWN, json!({})).await.expect(202);
}
