//! What papers look like, over HTTP: the logo, and specimens of a practice's words. That they are drawn is tried where jobs are
//! performed.

use chrono_tz::Tz;
use permanence_domain::identity::Role;
use reqwest::Method;
use serde_json::json;

use super::{INVOICES, codes, lines};
use crate::support::TestApi;

const LOGO: &str = "/api/v1/settings/logo";
const PREVIEW: &str = "/api/v1/invoice-templates/invoice/preview";
const PICTURE: &[u8] = include_bytes!("../../../../workers/tests/papers/logo.png");

#[tokio::test]
async fn a_logo_is_put_shown_replaced_and_taken_away() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let put =
        async |key: &str, file: &[u8]| practice.admin.upload(LOGO, key, "image/png", file.to_vec()).await;
    practice.admin.unfollowed(LOGO).await.expect(404);
    let logo = put("one", PICTURE).await.expect(201);
    assert_eq!(logo.header("location"), LOGO);
    assert_eq!(logo.body, json!({ "version": 1, "bytes": PICTURE.len() }));
    let again = put("one", PICTURE).await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), api.objects("logos")), ("true", 1));
    let shown = practice.assistant.unfollowed(LOGO).await.expect(302);
    let picture = reqwest::get(shown.header("location")).await.unwrap().bytes().await.unwrap();
    assert_eq!(picture, PICTURE);
    assert_eq!(put("two", PICTURE).await.expect(201).body["version"], 2);
    for _ in 0..2 {
        practice.admin.delete(LOGO).await.expect(204);
    }
    practice.admin.unfollowed(LOGO).await.expect(404);
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_leaves_nothing() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let put =
        async |media_type: &str, file: Vec<u8>| practice.admin.upload(LOGO, "k", media_type, file).await;
    // By what it holds, whatever it is called.
    for file in [&b"GIF89a"[..], b"%PDF-1.7", b"", &PICTURE[..PICTURE.len() / 2]] {
        let refused = put("image/png", file.to_vec()).await.expect(422);
        assert_eq!(codes(&refused.body), ["body not_a_picture"]);
    }
    put("image/svg+xml", b"<svg/>".to_vec()).await.refused(415, "not_a_picture");
    put("image/png", vec![0; 2 * 1024 * 1024 + 1]).await.refused(413, "body_too_large");
    practice.assistant.upload(LOGO, "k", "image/png", PICTURE.to_vec()).await.refused(403, "forbidden");
    assert_eq!(api.objects("logos"), 0);
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    other.admin.upload(LOGO, "k", "image/png", PICTURE.to_vec()).await.expect(201);
    practice.admin.unfollowed(LOGO).await.expect(404);
}

#[tokio::test]
async fn words_are_tried_before_they_are_in_force() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let words = json!({ "body": "# {{ number }}\n\n[[items]]\n\n[[totals]]", "language": "en" });
    practice.admin.post(PREVIEW, words.clone()).await.refused(409, "seller_unknown");
    practice.sells().await;
    let preview = practice.admin.post_keyed(PREVIEW, "k", words.clone()).await.expect(202);
    let pdf = format!("/api/v1/invoice-previews/{}/pdf", preview.id());
    assert_eq!((preview.header("location"), &preview.body["kind"]), (pdf.as_str(), &json!("invoice")));
    let again = practice.admin.post_keyed(PREVIEW, "k", words).await.expect(202);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &preview.body));
    let pending = practice.assistant.get(&pdf).await.expect(202);
    assert_eq!((pending.header("retry-after"), &pending.body), ("2", &json!({ "status": "pending" })));
    for kind in ["invoice", "credit_note", "quote"] {
        let path = format!("/api/v1/invoice-templates/{kind}/preview");
        practice.admin.post(&path, json!({})).await.expect(202);
    }
    let refused = practice.admin.post(PREVIEW, json!({ "body": "{{ total }}" })).await.expect(422);
    assert_eq!(
        codes(&refused.body),
        ["body unknown_placeholder", "body missing_block", "body missing_block"]
    );
    practice
        .admin
        .post("/api/v1/invoice-templates/letter/preview", json!({}))
        .await
        .refused(404, "not_found");
    practice.assistant.post(PREVIEW, json!({})).await.refused(403, "forbidden");
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    other.admin.get(&pdf).await.refused(404, "not_found");
}

#[tokio::test]
async fn who_owes_what_is_told_one_by_one() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.sells().await;
    let patient = practice.patient("Zoé", "Noël").await;
    let share = json!({ "name": "Mutuelle des Vosges", "share": 2000 });
    practice.issued(json!({ "patient_id": patient, "lines": lines(), "insurer": share })).await;
    practice.issued(json!({ "patient_id": patient, "lines": lines() })).await;
    practice
        .issued(json!({ "patient_id": patient, "buyer": { "name": "TechCorp" }, "lines": lines() }))
        .await;
    let paid = practice.issued(json!({ "buyer": { "name": "Payé" }, "lines": lines() })).await;
    let pay = json!({ "amount": 9600, "method": "card" });
    let path = format!("{INVOICES}/{}/payments", paid["id"].as_str().unwrap());
    practice.assistant.post(&path, pay).await.expect(201);
    let debtors = practice.assistant.get("/api/v1/receivables/debtors").await.expect(200).body;
    let owed = |cents: i64| json!({ "not_due": cents, "days_30": 0, "days_60": 0, "days_90": 0, "older": 0, "total": cents });
    let debtor = |payer: &str, name: &str, patient: Option<&str>, invoices: i64, cents: i64| {
        json!({ "payer": payer, "name": name, "patient_id": patient, "invoices": invoices,
                "due_since": "2027-02-03", "owed": owed(cents) })
    };
    assert_eq!(
        debtors["items"],
        json!([
            debtor("patient", "Zoé Noël", Some(&patient), 2, 17_200),
            debtor("patient", "TechCorp", None, 1, 9600),
            debtor("insurer", "Mutuelle des Vosges", None, 1, 2000),
        ])
    );
    let beyond = practice.assistant.get("/api/v1/receivables/debtors?page=7").await.expect(200).body;
    assert_eq!((&beyond["items"], &beyond["total"]), (&json!([]), &json!(3)));
    let whole = practice.assistant.get("/api/v1/receivables").await.expect(200).body;
    assert_eq!(whole["total"]["total"], 28_800);
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    nurse.send(Method::GET, "/api/v1/receivables/debtors", &[], None).await.refused(403, "forbidden");
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    assert_eq!(other.admin.get("/api/v1/receivables/debtors").await.expect(200).body["total"], 0);
}
