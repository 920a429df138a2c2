//! The erasure of one's own account over HTTP: asked for, taken back, looked at; who cannot leave yet. That nothing is left is tried
//! where jobs are performed.

use chrono_tz::Tz;
use permanence_domain::{
    config::{Env, Secret},
    db::Actor,
    identity::{AccountMailAbout, AccountMailStart, Role, TokenHashes, begin_account_mail},
    ids::{AccountMailId, ErasureId},
    privacy::{self, Searched, Signer},
    vault::Vault,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    companies::company,
    consultations::conducting,
    support::{Client, MASTER_KEYS, PASSWORD, TestApi, at},
};

const OWN: &str = "/api/v1/users/me/delete-request";
const CANCEL: &str = "/api/v1/users/me/delete-request/cancel";
const ALL: &str = "/api/v1/super-admin/account-erasures";

fn sure() -> Value {
    json!({ "password": PASSWORD })
}

/// The kinds of mails about accounts that wait to be sent.
async fn mails(api: &TestApi) -> Vec<String> {
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    sqlx::query_scalar("SELECT kind FROM account_mails ORDER BY created_at, kind")
        .fetch_all(tx.conn())
        .await
        .unwrap()
}

/// What is noted of accounts outside any tenant.
async fn trail(api: &TestApi) -> Vec<String> {
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    sqlx::query_scalar(
        "SELECT action FROM audit_log WHERE tenant_id IS NULL AND action LIKE 'user.delete%' ORDER BY id",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap()
}

#[tokio::test]
async fn an_account_is_given_up_and_taken_back() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let nurse = api.member(practice.tenant, "zoe@lilas.example", Role::Nurse).await;
    nurse.get(OWN).await.refused(404, "not_found");
    nurse.post(CANCEL, json!({})).await.refused(404, "not_found");

    let body = json!({ "password": PASSWORD, "reason": "Je pars" });
    let asked = nurse.post_keyed(OWN, "k", body.clone()).await.expect(202);
    assert_eq!(asked.header("location"), OWN);
    assert_eq!(
        asked.body,
        json!({
            "id": asked.id(), "user_id": nurse.user, "status": "pending", "requested_at": "2027-01-04T08:00:00Z",
            "due_at": "2027-02-03T08:00:00Z", "cancelled_at": null, "erased_at": null, "completed_at": null,
            "coming_consultations": 0, "held": [], "destroyed": [], "findings": [],
            "kept": [{ "what": "audit_log", "count": 1, "law": "RGPD, art. 5(2)", "until": null }],
        })
    );
    let again = nurse.post_keyed(OWN, "k", body).await.expect(202);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &asked.body));
    nurse.post(OWN, sure()).await.refused(409, "deletion_requested");
    assert_eq!(nurse.get(OWN).await.expect(200).body, asked.body);
    // Nothing changes until then, and signing in tells of it.
    let signed_in = api.login("zoe@lilas.example", PASSWORD, json!({})).await.expect(200).body;
    assert_eq!(signed_in["deletion_due_at"], "2027-02-03T08:00:00Z");
    let renewed = json!({ "refresh_token": signed_in["refresh_token"] });
    let renewed = api.post("/api/v1/auth/refresh", renewed).await.expect(200).body;
    assert_eq!(renewed["deletion_due_at"], "2027-02-03T08:00:00Z");

    let cancelled = nurse.post_keyed(CANCEL, "c", json!({})).await.expect(200);
    assert_eq!(
        (&cancelled.body["status"], &cancelled.body["cancelled_at"]),
        (&json!("cancelled"), &json!("2027-01-04T08:00:00Z"))
    );
    let again = nurse.post_keyed(CANCEL, "c", json!({})).await.expect(200);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &cancelled.body));
    nurse.post(CANCEL, json!({})).await.refused(409, "erasure_begun");
    let signed_in = api.login("zoe@lilas.example", PASSWORD, json!({})).await.expect(200).body;
    assert_eq!(signed_in["deletion_due_at"], Value::Null);
    assert_ne!(nurse.post(OWN, sure()).await.expect(202).id(), asked.id(), "it may be asked for anew");
    assert_eq!(mails(&api).await, ["deletion_cancelled", "deletion_requested", "deletion_requested"]);
    assert_eq!(trail(&api).await, ["user.delete_request", "user.delete_cancel", "user.delete_request"]);
    // Whoever runs the practice does not learn of it.
    let seen = practice.admin.get("/api/v1/audit-logs?user=".to_owned().as_str()).await;
    assert!(!seen.body.to_string().contains("delete_request"), "{}", seen.body);
}

#[tokio::test]
async fn the_page_that_mails_lead_to_brings_what_it_needs() {
    let api = TestApi::start().await;
    let page = api.get("/cancel-deletion").await.expect(200).body;
    assert!(page.as_str().unwrap().contains("pages/deletion.js"), "{page}");
    let script = api.get("/pages/deletion.js").await.expect(200);
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
}

#[tokio::test]
async fn only_whoever_knows_the_password_gives_an_account_up() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let wrong = practice.assistant.post(OWN, json!({ "password": "Autrement2!" })).await;
    wrong.refused(422, "invalid_input");
    let told = &wrong.body["errors"][0];
    assert_eq!(
        (&told["field"], &told["code"], &told["read"]),
        (&json!("password"), &json!("wrong_password"), &Value::Null)
    );
    practice.assistant.get(OWN).await.refused(404, "not_found");
    assert_eq!((trail(&api).await, mails(&api).await.len()), (vec!["user.delete_refused".to_owned()], 0));
    for body in [
        json!({}),
        json!({ "password": PASSWORD, "reason": "" }),
        json!({ "password": PASSWORD, "now": true }),
    ] {
        practice.assistant.post(OWN, body).await.refused(422, "invalid_input");
    }
    practice.assistant.post(CANCEL, json!({ "id": 1 })).await.refused(422, "invalid_input");
    api.post(OWN, sure()).await.refused(401, "missing_token");
    api.get(OWN).await.refused(401, "missing_token");
    practice
        .assistant
        .send(Method::POST, OWN, &[], Some(sure()))
        .await
        .refused(400, "idempotency_key_missing");
}

#[tokio::test]
async fn whoever_is_needed_is_told_where() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let refused = practice.admin.post(OWN, sure()).await;
    refused.refused(409, "last_admin");
    let detail = refused.body["detail"].as_str().unwrap();
    assert_eq!(detail, "nobody else is in charge of Lilas: let somebody else run it first, who stays");
    // A successor who leaves as well is none.
    let second = api.member(practice.tenant, "second@lilas.example", Role::Admin).await;
    second.post(OWN, sure()).await.expect(202);
    practice.admin.post(OWN, sure()).await.refused(409, "last_admin");
    second.post(CANCEL, json!({})).await.expect(200);
    practice.admin.post(OWN, sure()).await.expect(202);

    // What is within the thirty days takes place.
    let doctor = api.member(practice.tenant, "dr@lilas.example", Role::Practitioner).await;
    let body = json!({ "first_name": "Zoé", "last_name": "Noël", "user_id": doctor.user });
    let practitioner = second.post("/api/v1/practitioners", body).await.expect(201).id();
    let patient = practice.patient("Marc", "Petit").await;
    practice.booked(&patient, &practitioner, "2027-02-03T08:00", "2027-02-03T08:45").await;
    let late = practice.booked(&patient, &practitioner, "2027-02-03T10:00", "2027-02-03T10:45").await;
    let refused = doctor.post(OWN, sure()).await;
    refused.refused(409, "appointments_coming");
    assert!(
        refused.body["detail"].as_str().unwrap().contains("after 2027-02-03 at Lilas"),
        "{}",
        refused.body
    );
    practice.assistant.delete(&format!("/api/v1/appointments/{late}")).await.expect(204);
    doctor.post(OWN, sure()).await.expect(202);
}

#[tokio::test]
async fn an_employee_is_told_what_is_cancelled_and_what_is_kept() {
    let api = TestApi::start_at(at("2027-01-04T08:00:00Z")).await;
    let own = company(&api, "Alpha").await;
    let at_work = conducting(&api, &own, "Lilas").await;
    let marc = own.employee(&api, "Marc", "Ventes").await;
    for day in ["2027-01-05", "2027-02-09"] {
        let body = json!({ "practitioner_id": at_work.practitioner, "starts_at": format!("{day}T10:00"),
                           "ends_at": format!("{day}T10:50") });
        marc.post("/api/v1/consultations", body).await.expect(201);
    }
    let asked = marc.post(OWN, sure()).await.expect(202).body;
    assert_eq!(asked["coming_consultations"], 1, "the one within the thirty days takes place");
    let kept: Vec<(&str, i64)> = asked["kept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kept| (kept["what"].as_str().unwrap(), kept["count"].as_i64().unwrap()))
        .collect();
    assert!(kept.contains(&("appointments", 2)) && kept.contains(&("consultations", 2)), "{kept:?}");
}

/// Does what the workers do with everything that is due but the search, and gives the token of the last mail.
async fn erased(api: &TestApi, id: ErasureId) -> String {
    let vault = Vault::read(&mut Env::of([("MASTER_KEYS".to_owned(), MASTER_KEYS.to_owned())])).unwrap();
    let begin = async || api.db.system(Actor::JOB).await.unwrap();
    let (tx, _) = privacy::begin_account(begin().await, &vault, id).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = begin().await;
    let mail: uuid::Uuid = sqlx::query_scalar("SELECT id FROM account_mails WHERE kind = 'account_erased'")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    let hashes = TokenHashes::new(Secret::new("r".repeat(32)));
    let start = begin_account_mail(&mut tx, &hashes, AccountMailId(mail)).await.unwrap();
    let AccountMailStart::Send(draft) = start else { panic!("{start:?}") };
    let AccountMailAbout::AccountErased { token } = draft.about else { panic!("another mail") };
    permanence_domain::identity::end_account_mail(&mut tx, AccountMailId(mail), "sent", None).await.unwrap();
    tx.commit().await.unwrap();
    let (tx, _) = privacy::erase_account(begin().await, &vault, id).await.unwrap();
    tx.commit().await.unwrap();
    let signer = Signer::of(&Secret::new("0d".repeat(32))).unwrap();
    let unfinished = api.get(&format!("/e/{token}")).await.expect(200).body;
    assert!(unfinished.as_str().unwrap().contains("en cours"), "{unfinished}");
    assert_eq!(api.get(&format!("/e/{token}/certificate.json")).await.status, 409);
    let searched = Searched::default();
    privacy::finish_account(begin().await, &signer, &vault, id, &searched)
        .await
        .unwrap()
        .commit()
        .await
        .unwrap();
    token
}

#[tokio::test]
async fn the_certificate_is_for_operators_and_for_whoever_has_the_last_mail() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let nurse = api.member(practice.tenant, "zoe@lilas.example", Role::Nurse).await;
    let id = nurse.post(OWN, sure()).await.expect(202).id();
    api.clock.set(at("2027-02-03T08:00:00Z"));
    let token = erased(&api, id.parse().unwrap()).await;
    nurse.get(OWN).await.refused(401, "token_expired");
    api.login("zoe@lilas.example", PASSWORD, json!({})).await.refused(401, "wrong_credentials");

    let operator = api.operator_as(Role::PlatformAdmin).await;
    let one = operator.get(&format!("{ALL}/{id}")).await.expect(200).body;
    assert_eq!((&one["status"], &one["user_id"]), (&json!("completed"), &json!(nurse.user)));
    assert_eq!(operator.get(ALL).await.expect(200).body["items"], json!([one]));
    let certificate = operator.get(&format!("{ALL}/{id}/certificate")).await.expect(200).body;
    assert_eq!(certificate["certificate"]["subject_id"], json!(nurse.user));
    operator.get(&format!("{ALL}/{id}/certificate/pdf")).await.expect(202);
    assert!(!certificate.to_string().contains("Lilas"), "it tells no tenant: {certificate}");

    let page = api.get(&format!("/e/{token}")).await.expect(200);
    assert!(page.body.as_str().unwrap().contains(&format!("{token}/certificate.json")), "{}", page.body);
    let file = api.get(&format!("/e/{token}/certificate.json")).await.expect(200);
    assert_eq!(file.body, certificate);
    assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"erasure-{id}.json\""));
    assert_eq!(api.get(&format!("/e/{token}/certificate.pdf")).await.status, 404, "it is not drawn yet");
    assert_eq!(api.get("/e/another").await.status, 404);
    api.clock.advance(std::time::Duration::from_hours(24 * 91));
    assert_eq!(api.get(&format!("/e/{token}")).await.status, 404, "the link has ended");
}

#[tokio::test]
async fn nobody_else_follows_who_leaves() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = practice.assistant.post(OWN, sure()).await.expect(202).id();
    let paths = [
        ALL.to_owned(),
        format!("{ALL}/{id}"),
        format!("{ALL}/{id}/certificate"),
        format!("{ALL}/{id}/certificate/pdf"),
    ];
    for path in &paths {
        practice.admin.get(path).await.refused(403, "forbidden");
    }
    practice.admin.get(OWN).await.refused(404, "not_found");
    let operator: Client<'_> = api.operator().await;
    let unknown = "01900000-0000-7000-8000-000000000000";
    for what in ["", "/certificate", "/certificate/pdf"] {
        operator.get(&format!("{ALL}/{unknown}{what}")).await.refused(404, "not_found");
    }
    operator.get(&format!("{ALL}/{id}/certificate")).await.refused(409, "erasure_not_completed");
    // What is kept of colleagues is for whoever runs the practice.
    assert_eq!(practice.admin.get("/api/v1/retained").await.expect(200).body, json!({ "items": [] }));
    practice.assistant.get("/api/v1/retained").await.refused(403, "forbidden");
}
