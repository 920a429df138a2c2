//! Quotes over HTTP.

use chrono_tz::Tz;
use serde_json::json;

use super::{codes, lines};
use crate::support::{TestApi, at};

#[tokio::test]
async fn a_quote_is_answered_once_and_becomes_one_invoice() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.sells().await;
    let quotes = "/api/v1/quotes";
    let content = json!({ "buyer": { "name": "TechCorp" }, "lines": lines() });
    let draft = practice.assistant.post(quotes, content.clone()).await.expect(201);
    let path = format!("{quotes}/{}", draft.id());
    let (answer, invoice) = (format!("{path}/answer"), format!("{path}/invoice"));
    practice.assistant.post(&answer, json!({ "answer": "accepted" })).await.refused(409, "not_issued");
    practice.assistant.put(&path, 1, content.clone()).await.expect(200);
    let issued =
        practice.assistant.post(&format!("{path}/issue"), json!({ "version": 2 })).await.expect(200).body;
    assert_eq!((&issued["number"], &issued["status"]), (&json!("D2027-000001"), &json!("issued")));
    practice.assistant.post(&invoice, json!({})).await.refused(409, "quote_not_accepted");
    practice.assistant.post(&answer, json!({ "answer": "accepted" })).await.expect(200);
    practice.assistant.post(&answer, json!({ "answer": "refused" })).await.refused(409, "quote_answered");
    let made = practice.assistant.post(&invoice, json!({})).await.expect(201);
    assert_eq!((&made.body["quote_id"], &made.body["totals"]["gross"]), (&draft.body["id"], &json!(9600)));
    practice.assistant.post(&invoice, json!({})).await.refused(409, "quote_invoiced");
    let quote = practice.assistant.get(&path).await.expect(200).body;
    assert_eq!((&quote["status"], &quote["invoice_id"]), (&json!("accepted"), &made.body["id"]));
    practice.assistant.get(&format!("{path}/pdf")).await.expect(202);

    let late = practice.assistant.post(quotes, content.clone()).await.expect(201).id();
    practice.assistant.post(&format!("{quotes}/{late}/issue"), json!({ "version": 1 })).await.expect(200);
    api.clock.set(at("2027-03-01T09:00:00Z"));
    let practice = practice.signed_in_again(&api).await;
    practice
        .assistant
        .post(&format!("{quotes}/{late}/answer"), json!({ "answer": "accepted" }))
        .await
        .refused(409, "quote_expired");
    let listed = practice.assistant.get(&format!("{quotes}?status=expired")).await.expect(200).body;
    assert_eq!((&listed["total"], &listed["items"][0]["id"]), (&json!(1), &json!(late)));
    let gone = practice.assistant.post(quotes, content.clone()).await.expect(201).id();
    practice.assistant.delete(&format!("{quotes}/{gone}")).await.expect(204);
    let mut of_appointment = content;
    of_appointment["appointment_id"] = json!(uuid::Uuid::new_v4());
    let told = practice.assistant.post(quotes, of_appointment).await;
    assert_eq!(codes(&told.body), ["appointment_id not_for_quotes"]);
}
