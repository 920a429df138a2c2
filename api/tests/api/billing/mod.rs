//! Billing over HTTP: invoices written, issued, taken back; the rest in the files beside.

mod apart;
mod credit_notes;
mod input;
mod looks;
mod payments;
mod quotes;

use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::support::{Practice, TestApi, at};

pub(crate) const INVOICES: &str = "/api/v1/invoices";

impl Practice<'_> {
    /// Makes the practice known as a seller.
    pub(crate) async fn sells(&self) {
        let version = self.admin.get("/api/v1/settings").await.body["version"].as_i64().unwrap();
        let body = json!({ "time_zone": "Europe/Paris", "billing": seller() });
        self.admin.put("/api/v1/settings", version, body).await.expect(200);
    }

    /// A draft, issued.
    pub(crate) async fn issued(&self, content: Value) -> Value {
        let draft = self.assistant.post(INVOICES, content).await.expect(201).body;
        let path = format!("{INVOICES}/{}/issue", draft["id"].as_str().unwrap());
        self.assistant.post(&path, json!({ "version": draft["version"] })).await.expect(200).body
    }
}

fn seller() -> Value {
    json!({
        "legal_name": "SELARL des Lilas", "siret": "732 829 320 00074",
        "address": { "line": "12 rue des Lilas", "postcode": "75019", "city": "Paris" },
        "iban": "FR76 3000 6000 0112 3456 7890 189",
    })
}

/// Care for sixty euros, and a cushion for thirty with VAT on top.
pub(crate) fn lines() -> Value {
    json!([
        { "name": "Séance d'ostéopathie", "unit_price": 6000, "vat": { "category": "care" } },
        { "name": "Coussin", "unit_price": 3000 },
    ])
}

fn codes(body: &Value) -> Vec<String> {
    let problems = body["errors"].as_array().cloned().unwrap_or_default();
    problems
        .iter()
        .map(|problem| {
            format!("{} {}", problem["field"].as_str().unwrap(), problem["code"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn an_invoice_is_written_issued_and_never_changes() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let patient = practice.patient("Zoé", "Noël").await;
    let content = json!({ "patient_id": patient, "lines": lines(), "discounts": [{ "reason": "Fidélité", "rate": 1000 }] });
    let draft = practice.assistant.post(INVOICES, content.clone()).await.expect(201);
    assert_eq!(draft.header("etag"), "\"1\"");
    assert_eq!((&draft.body["status"], &draft.body["number"]), (&json!("draft"), &Value::Null));
    // 90.00 less 9.00; the cushion's 27.00 with 20 %.
    assert_eq!(
        draft.body["totals"],
        json!({ "lines": 9000, "allowances": 900, "net": 8100, "vat": 540, "gross": 8640, "paid": 0, "due": 8640 })
    );
    let path = format!("{INVOICES}/{}", draft.id());
    let issue = format!("{path}/issue");
    practice.assistant.post(&issue, json!({ "version": 1 })).await.refused(409, "seller_unknown");
    practice.sells().await;
    let mut changed = content.clone();
    changed["discounts"] = json!([]);
    practice.assistant.put(&path, 1, changed.clone()).await.expect(200);
    practice.assistant.post(&issue, json!({ "version": 1 })).await.refused(409, "version_conflict");
    let issued = practice.assistant.post_keyed(&issue, "once", json!({ "version": 2 })).await.expect(200);
    assert_eq!(
        (
            &issued.body["number"],
            &issued.body["issued_on"],
            &issued.body["due_on"],
            &issued.body["buyer_name"]
        ),
        (&json!("F2027-000001"), &json!("2027-01-04"), &json!("2027-02-03"), &json!("Zoé Noël"))
    );
    assert_eq!(issued.body["balance"]["left"], 9600);
    let again = practice.assistant.post_keyed(&issue, "once", json!({ "version": 2 })).await.expect(200);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &issued.body));
    assert_eq!(practice.assistant.get(&path).await.expect(200).body, issued.body);

    practice.assistant.post(&issue, json!({ "version": 3 })).await.refused(409, "already_issued");
    practice.assistant.put(&path, 3, changed).await.refused(409, "already_issued");
    practice.assistant.delete(&path).await.refused(409, "already_issued");
    let pending = practice.assistant.get(&format!("{path}/pdf")).await.expect(202);
    assert_eq!((pending.header("retry-after"), &pending.body), ("2", &json!({ "status": "pending" })));

    let draft = practice.assistant.post(INVOICES, content).await.expect(201).id();
    practice.assistant.get(&format!("{INVOICES}/{draft}/pdf")).await.refused(409, "not_issued");
    practice.assistant.delete(&format!("{INVOICES}/{draft}")).await.expect(204);
    practice.assistant.get(&format!("{INVOICES}/{draft}")).await.refused(404, "not_found");
}

#[tokio::test]
async fn an_appointment_becomes_one_invoice_once_it_is_over() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.sells().await;
    let (patient, practitioner) = (practice.patient("Zoé", "Noël").await, practice.practitioner("Roy").await);
    let begin = "2027-01-05T10:00";
    let id = practice.booked(&patient, &practitioner, begin, "2027-01-05T10:45").await;
    let content = json!({ "appointment_id": id });
    practice.assistant.post(INVOICES, content.clone()).await.refused(409, "appointment_not_over");
    api.clock.set(at("2027-01-06T09:00:00Z"));
    let practice = practice.signed_in_again(&api).await;
    let told = practice.assistant.post(INVOICES, content.clone()).await;
    assert_eq!(codes(&told.body), ["lines no_service"]);
    let service = |name: &str, price: i64, more: Value| {
        let mut service =
            json!({ "name": name, "unit_price": price, "vat": { "category": "care" }, "automatic": true });
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        service
    };
    let services = "/api/v1/services";
    practice.admin.post(services, service("Séance", 5000, json!({}))).await.expect(201);
    practice.admin.post(services, service("Longue", 7000, json!({ "minutes": 45 }))).await.expect(201);
    let twin = service("Autre", 1, json!({ "minutes": 45 }));
    practice.admin.post(services, twin).await.refused(409, "automatic_taken");
    practice
        .admin
        .post(services, service("séance", 1, json!({ "minutes": 60 })))
        .await
        .refused(409, "name_taken");
    let draft = practice.assistant.post(INVOICES, content.clone()).await.expect(201);
    assert_eq!(
        (&draft.body["lines"][0]["name"], &draft.body["totals"]["gross"]),
        (&json!("Longue"), &json!(7000))
    );
    assert_eq!(draft.body["draft"]["supplied_from"], "2027-01-05");
    practice.assistant.post(INVOICES, content.clone()).await.refused(409, "appointment_invoiced");
    let issue = format!("{INVOICES}/{}/issue", draft.id());
    practice.assistant.post(&issue, json!({ "version": 1 })).await.expect(200);
    // Taken back whole, it may be invoiced again.
    let credit = format!("{INVOICES}/{}/credit-note", draft.id());
    practice.assistant.post(&credit, json!({ "reason": "Erreur" })).await.expect(201);
    practice.assistant.post(INVOICES, content).await.expect(201);

    let cancelled = practice.booked(&patient, &practitioner, "2027-01-07T10:00", "2027-01-07T10:30").await;
    practice.assistant.delete(&format!("/api/v1/appointments/{cancelled}")).await.expect(204);
    let content = json!({ "appointment_id": cancelled });
    practice.assistant.post(INVOICES, content).await.refused(409, "appointment_cancelled");
}
