//! Who may not bill, and the other tenant, for whom nothing of it exists.

use chrono_tz::Tz;
use permanence_domain::identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{INVOICES, lines};
use crate::support::TestApi;

/// Every route that names a resource of billing.
fn attempts(invoice: &str, quote: &str, service: &str, run: &str) -> Vec<(Method, String, Option<Value>)> {
    let content = json!({ "buyer": { "name": "Z" }, "lines": lines() });
    let (i, q) = (format!("{INVOICES}/{invoice}"), format!("/api/v1/quotes/{quote}"));
    let pay = json!({ "amount": 1, "method": "cash" });
    vec![
        (Method::GET, i.clone(), None),
        (Method::PUT, i.clone(), Some(content.clone())),
        (Method::DELETE, i.clone(), None),
        (Method::POST, format!("{i}/issue"), Some(json!({ "version": 1 }))),
        (Method::POST, format!("{i}/credit-note"), Some(json!({ "reason": "x" }))),
        (Method::GET, format!("{i}/payments"), None),
        (Method::POST, format!("{i}/payments"), Some(pay.clone())),
        (Method::POST, format!("{i}/refunds"), Some(pay)),
        (Method::GET, format!("{i}/pdf"), None),
        (Method::POST, format!("{i}/send"), Some(json!({}))),
        (Method::GET, format!("{i}/mails"), None),
        (Method::GET, q.clone(), None),
        (Method::PUT, q.clone(), Some(content)),
        (Method::DELETE, q.clone(), None),
        (Method::POST, format!("{q}/issue"), Some(json!({ "version": 1 }))),
        (Method::POST, format!("{q}/answer"), Some(json!({ "answer": "refused" }))),
        (Method::POST, format!("{q}/invoice"), Some(json!({}))),
        (Method::GET, format!("{q}/pdf"), None),
        (Method::GET, format!("/api/v1/services/{service}"), None),
        (Method::PUT, format!("/api/v1/services/{service}"), Some(json!({ "name": "S", "unit_price": 1 }))),
        (Method::DELETE, format!("/api/v1/services/{service}"), None),
        (Method::GET, format!("/api/v1/invoice-runs/{run}"), None),
    ]
}

#[tokio::test]
async fn a_nurse_bills_nothing_and_another_practices_bills_do_not_exist() {
    let api = TestApi::start().await;
    let own = api.practice("Lilas", Tz::Europe__Paris).await;
    own.sells().await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let invoice = own.issued(json!({ "buyer": { "name": "Zoé" }, "lines": lines() })).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let quote = own
        .assistant
        .post("/api/v1/quotes", json!({ "buyer": { "name": "Z" }, "lines": lines() }))
        .await
        .expect(201)
        .id();
    let service =
        own.admin.post("/api/v1/services", json!({ "name": "S", "unit_price": 1 })).await.expect(201).id();
    let run = json!({ "from": "2027-01-01", "to": "2027-01-03" });
    let run = own.admin.post("/api/v1/invoice-runs", run).await.expect(202).id();
    let nurse = api.member(own.tenant, "nurse@lilas.example", Role::Nurse).await;
    let attempts = attempts(&invoice, &quote, &service, &run);
    other.sells().await;
    for (method, path, body) in attempts {
        let key = uuid::Uuid::new_v4().to_string();
        let mut headers = vec![("idempotency-key", key.as_str())];
        if method == Method::PUT {
            headers.push(("if-match", "1"));
        }
        nurse.send(method.clone(), &path, &headers, body.clone()).await.refused(403, "forbidden");
        let answer = other.admin.send(method.clone(), &path, &headers, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (404, &json!("not_found")),
            "{method} {path}"
        );
    }
    for path in [INVOICES, "/api/v1/quotes", "/api/v1/services", "/api/v1/receivables"] {
        nurse.get(path).await.refused(403, "forbidden");
        let list = other.admin.get(path).await.expect(200).body;
        assert!(
            [&invoice, &quote, &service].iter().all(|id| !list.to_string().contains(id.as_str())),
            "{path}"
        );
    }
    let words = json!({ "body": "[[items]]\n[[totals]]" });
    own.assistant.put("/api/v1/invoice-templates/invoice", 0, words.clone()).await.refused(403, "forbidden");
    own.admin.put("/api/v1/invoice-templates/invoice", 0, words).await.expect(200);
    assert_eq!(other.admin.get("/api/v1/invoice-templates/invoice").await.expect(200).body["own"], false);
}
