//! What is paid, given back and owed, over HTTP.

use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{INVOICES, lines};
use crate::support::{TestApi, at};

fn pay(amount: i64, payer: &str) -> Value {
    json!({ "amount": amount, "method": "card", "payer": payer })
}

#[tokio::test]
async fn each_payer_pays_its_part_and_never_more() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.sells().await;
    let content = json!({ "buyer": { "name": "Zoé" }, "lines": lines(),
        "insurer": { "name": "Mutuelle du Port", "share": 4000 } });
    let invoice = practice.issued(content.clone()).await;
    assert_eq!(invoice["balance"]["patient"]["share"], 5600);
    let path = format!("{INVOICES}/{}", invoice["id"].as_str().unwrap());
    let (payments, refunds) = (format!("{path}/payments"), format!("{path}/refunds"));
    let clerk = &practice.assistant;

    // A doubled click is one payment.
    let first = clerk.post_keyed(&payments, "click", pay(2500, "patient")).await.expect(201);
    let second = clerk.post_keyed(&payments, "click", pay(2500, "patient")).await.expect(201);
    assert_eq!(first.body, second.body);
    assert_eq!(
        (&first.body["status"], &first.body["balance"]["left"], &first.body["balance"]["patient"]["left"]),
        (&json!("partly_paid"), &json!(7100), &json!(3100))
    );
    let above = clerk.post(&payments, pay(3101, "patient")).await;
    above.refused(409, "above_balance");
    assert_eq!(above.body["detail"], "3100 cents are left for the patient to pay");
    clerk.post(&payments, pay(4001, "insurer")).await.refused(409, "above_balance");
    clerk.post(&payments, pay(4000, "insurer")).await.expect(201);
    clerk.post(&refunds, pay(2501, "patient")).await.refused(409, "above_paid");
    clerk.post(&refunds, pay(500, "patient")).await.expect(201);
    let paid = clerk.post(&payments, pay(3600, "patient")).await.expect(201);
    assert_eq!((&paid.body["status"], &paid.body["balance"]["left"]), (&json!("paid"), &json!(0)));
    let list = clerk.get(&payments).await.expect(200).body;
    let mut kinds: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["payment", "payment", "payment", "refund"]);

    // What is paid and then taken back is owed to the patient.
    clerk.post(&format!("{path}/credit-note"), json!({ "reason": "Erreur" })).await.expect(201);
    let left = clerk.get(&path).await.body;
    assert_eq!((&left["status"], &left["balance"]["left"]), (&json!("cancelled"), &json!(-9600)));
    clerk.post(&payments, pay(1, "patient")).await.refused(409, "above_balance");
    clerk.post(&refunds, pay(5600, "patient")).await.expect(201);

    let draft = clerk.post(INVOICES, content).await.expect(201).id();
    let of_draft = format!("{INVOICES}/{draft}/payments");
    clerk.post(&of_draft, pay(1, "patient")).await.refused(409, "not_issued");
    let told = async |body: Value| {
        let answer = clerk.post(&payments, body).await.expect(422).body;
        let errors = answer["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(json!({ "amount": 0, "method": "barter", "payer": "me" })).await.len(), 3);
    assert_eq!(
        told(json!({ "amount": 1, "method": "cash", "paid_on": "2027-01-05" })).await,
        ["in_the_future"]
    );
}

#[tokio::test]
async fn what_is_owed_ages() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.sells().await;
    let patient = practice.patient("Zoé", "Noël").await;
    let care = |price: i64| json!([{ "name": "Séance", "unit_price": price, "vat": { "category": "care" } }]);
    practice
        .issued(json!({ "patient_id": patient, "lines": care(10_000), "insurer": { "share": 3000 } }))
        .await;
    // Due on 3 February: one day late on the 4th.
    let mut practice = practice;
    for (now, expected) in [
        ("2027-02-03T12:00:00Z", "not_due"),
        ("2027-02-04T12:00:00Z", "days_30"),
        ("2027-03-05T12:00:00Z", "days_30"),
        ("2027-03-06T12:00:00Z", "days_60"),
        ("2027-04-05T12:00:00Z", "days_90"),
        ("2027-05-04T12:00:00Z", "days_90"),
        ("2027-05-05T12:00:00Z", "older"),
    ] {
        api.clock.set(at(now));
        practice = practice.signed_in_again(&api).await;
        let owed = practice.assistant.get("/api/v1/receivables").await.expect(200).body;
        for (payer, amount) in [("patient", 7000), ("insurer", 3000), ("total", 10_000)] {
            assert_eq!(
                (&owed[payer][expected], &owed[payer]["total"]),
                (&json!(amount), &json!(amount)),
                "{now}"
            );
        }
    }
    let paid = practice.issued(json!({ "patient_id": patient, "lines": care(500) })).await;
    let path = format!("{INVOICES}/{}/payments", paid["id"].as_str().unwrap());
    practice.assistant.post(&path, pay(500, "patient")).await.expect(201);
    practice.assistant.post(INVOICES, json!({ "patient_id": patient, "lines": care(1) })).await.expect(201);
    let count = async |query: &str| {
        practice.assistant.get(&format!("{INVOICES}?{query}")).await.expect(200).body["total"].clone()
    };
    for (query, expected) in [
        ("overdue=true", 1),
        ("status=paid", 1),
        ("status=draft", 1),
        ("status=issued", 1),
        ("from=2027-05-05&to=2027-05-05", 1),
        ("from=2027-01-01", 2),
        ("limit=1&page=9", 3),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    assert_eq!(count(&format!("patient_id={patient}")).await, 3);
    for (query, code) in [
        ("overdue=yes", "unknown_value"),
        ("status=lost", "unknown_value"),
        ("from=2027-01-02&to=2027-01-01", "wrong_order"),
    ] {
        let answer = practice.assistant.get(&format!("{INVOICES}?{query}")).await.expect(422).body;
        assert_eq!(answer["errors"][0]["code"], code, "{query}");
    }
}

#[tokio::test]
async fn a_paper_is_a_link_and_is_sent_to_those_with_an_address() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.sells().await;
    let mut content = json!({ "buyer": { "name": "Zoé" }, "lines": lines() });
    let invoice = practice.issued(content.clone()).await;
    let path = format!("{INVOICES}/{}", invoice["id"].as_str().unwrap());
    practice.assistant.post(&format!("{path}/send"), json!({})).await.refused(409, "buyer_without_email");
    content["buyer"]["email"] = json!("zoe@noel.example");
    let invoice = practice.issued(content).await;
    let path = format!("{INVOICES}/{}", invoice["id"].as_str().unwrap());
    let sent = practice.assistant.post(&format!("{path}/send"), json!({})).await.expect(202);
    assert_eq!(
        (sent.header("location"), &sent.body["status"]),
        (&*format!("{path}/mails"), &json!("planned"))
    );
    assert_eq!(
        practice.assistant.get(&format!("{path}/mails")).await.expect(200).body["items"][0]["id"],
        sent.body["id"]
    );

    // As the job that draws it does.
    let id = invoice["id"].as_str().unwrap().parse().unwrap();
    let key = permanence_domain::billing::paper_key(practice.tenant, id, &[7; 32]).unwrap();
    api.storage().put(&key, "application/pdf", b"%PDF".to_vec()).await.unwrap();
    for hash in [[7; 32], [8; 32]] {
        let mut tx = api.db.tenant(practice.tenant, permanence_domain::db::Actor::JOB).await.unwrap();
        permanence_domain::billing::end_paper(&mut tx, id, &key, &hash, 4).await.unwrap();
        tx.commit().await.unwrap();
    }
    let no_redirect =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = no_redirect
        .get(format!("{}{path}/pdf", api.base))
        .bearer_auth(&practice.assistant.token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 302);
    let link = answer.headers()["location"].to_str().unwrap().to_owned();
    let file = no_redirect.get(&link).send().await.unwrap();
    assert_eq!(file.headers()["content-disposition"], "attachment; filename=\"F2027-000002.pdf\"");
    assert_eq!(file.bytes().await.unwrap(), "%PDF");
}
