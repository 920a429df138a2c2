//! The dashboard and the years: figures of views, told with their moment.

use chrono_tz::Tz;
use permanence_domain::{
    figures::{Start, View, begin, jobs::RefreshView},
    identity::Role,
};
use serde_json::{Value, json};

use crate::{
    billing::INVOICES,
    support::{Practice, TestApi, at},
};

const OVERVIEW: &str = "/api/v1/dashboard/overview";
const HISTORY: &str = "/api/v1/dashboard/history";

/// Refreshes every view without a job.
async fn refresh(api: &TestApi) {
    for view in View::ALL {
        let start = begin(&api.db, RefreshView { view: *view, after: i64::MAX }).await.unwrap();
        let Start::Refresh(refresh) = start else { panic!("nobody else refreshes") };
        refresh.run(&api.db).await.unwrap();
    }
}

fn care(price: i64) -> Value {
    json!({ "buyer": { "name": "Zoé" }, "lines": [{ "name": "Séance", "unit_price": price, "vat": { "category": "care" } }] })
}

/// A practice with a December behind it: three invoices, two quotes, a draft, appointments of every kind.
async fn december(practice: &Practice<'_>) -> Vec<String> {
    practice.sells().await;
    let clerk = &practice.assistant;
    let paid = practice.issued(care(10_000)).await;
    let path = format!("{INVOICES}/{}", paid["id"].as_str().unwrap());
    clerk.post(&format!("{path}/payments"), json!({ "amount": 4500, "method": "card" })).await.expect(201);
    clerk.post(&format!("{path}/refunds"), json!({ "amount": 500, "method": "card" })).await.expect(201);
    let credited = practice.issued(care(2_000)).await;
    let path = format!("{INVOICES}/{}/credit-note", credited["id"].as_str().unwrap());
    clerk.post(&path, json!({ "reason": "Erreur", "amount": 500 })).await.expect(201);
    clerk.post(INVOICES, care(3_000)).await.expect(201);
    for answer in [None, Some("refused")] {
        let quote = clerk.post("/api/v1/quotes", care(8_000)).await.expect(201).id();
        clerk.post(&format!("/api/v1/quotes/{quote}/issue"), json!({ "version": 1 })).await.expect(200);
        if let Some(answer) = answer {
            let path = format!("/api/v1/quotes/{quote}/answer");
            clerk.post(&path, json!({ "answer": answer })).await.expect(200);
        }
    }
    let (patient, practitioner) = (practice.patient("Zoé", "Noël").await, practice.practitioner("Roy").await);
    let mut ids = Vec::new();
    for (begin, end) in [
        ("2026-12-20T10:00", "2026-12-20T10:30"),
        ("2026-12-21T10:00", "2026-12-21T10:30"),
        ("2026-12-22T10:00", "2026-12-22T10:30"),
        // This week: Monday, three times today (it is eleven), Sunday; and the Monday after.
        ("2027-01-04T10:00", "2027-01-04T10:30"),
        ("2027-01-06T00:00", "2027-01-06T00:30"),
        ("2027-01-06T10:50", "2027-01-06T11:30"),
        ("2027-01-06T14:00", "2027-01-06T14:30"),
        ("2027-01-10T23:00", "2027-01-10T23:59"),
        ("2027-01-11T00:00", "2027-01-11T00:30"),
        // The thirtieth day from today, and the one after.
        ("2027-02-05T23:00", "2027-02-05T23:59"),
        ("2027-02-06T00:00", "2027-02-06T00:30"),
    ] {
        ids.push(practice.booked(&patient, &practitioner, begin, end).await);
    }
    practice.assistant.delete(&format!("/api/v1/appointments/{}", ids[2])).await.expect(204);
    ids
}

fn counts(planned: i64, over: i64) -> Value {
    json!({ "planned": planned, "confirmed": 0, "over": over, "no_show": 0, "cancelled": 0 })
}

#[tokio::test]
async fn the_practice_at_a_glance() {
    let api = TestApi::start_at(at("2026-12-15T09:00:00Z")).await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Europe__Paris).await;
    let ids = december(&practice).await;
    let missed = format!("/api/v1/appointments/{}/no-show", ids[0]);
    practice
        .assistant
        .send(reqwest::Method::PUT, &missed, &[], None)
        .await
        .refused(409, "appointment_not_begun");

    api.clock.set(at("2027-01-06T10:00:00Z"));
    let practice = practice.signed_in_again(&api).await;
    practice.admin.get(OVERVIEW).await.refused(503, "unavailable");
    practice.assistant.send(reqwest::Method::PUT, &missed, &[], None).await.expect(204);
    let january = practice.issued(care(7_000)).await;
    let path = format!("{INVOICES}/{}/payments", january["id"].as_str().unwrap());
    practice.assistant.post(&path, json!({ "amount": 7000, "method": "cash" })).await.expect(201);
    refresh(&api).await;
    let told = practice.admin.get(OVERVIEW).await.expect(200).body;
    assert_eq!(
        told,
        json!({
            "as_of": "2027-01-06T10:00:00Z", "date": "2027-01-06", "time_zone": "Europe/Paris",
            "appointments": {
                "today": counts(2, 1), "week": counts(3, 2),
                "last_30_days": { "appointments": 3, "no_shows": 1, "cancelled": 1, "no_show_rate": 0.3333,
                                  "cancellation_rate": 0.25 },
                "previous_30_days": { "appointments": 0, "no_shows": 0, "cancelled": 0, "no_show_rate": null,
                                      "cancellation_rate": null },
            },
            "revenue": {
                "this_month": { "invoiced": 7000, "collected": 7000 },
                "last_month_to_date": { "invoiced": 0, "collected": 0 },
                "last_month": { "invoiced": 11_500, "collected": 4000 },
                "outstanding": { "count": 2, "amount": 7500 },
                "overdue": { "count": 0, "amount": 0 },
            },
            "pipeline": { "coming": 4, "not_invoiced": 2, "drafts": { "count": 1, "amount": 3000 },
                          "quotes": { "count": 1, "amount": 8000 } },
        })
    );

    let owed = practice.admin.get("/api/v1/receivables").await.expect(200).body;
    assert_eq!(
        owed["total"]["total"], told["revenue"]["outstanding"]["amount"],
        "as it is reckoned elsewhere"
    );

    // The agenda is of now, the rest as of the refresh; but what is overdue, and which quote holds, follows from today.
    practice.assistant.delete(&format!("/api/v1/appointments/{}", ids[6])).await.expect(204);
    assert_eq!(practice.admin.get(OVERVIEW).await.body["appointments"]["today"]["cancelled"], 1);
    api.clock.set(at("2027-01-15T09:00:00Z"));
    let practice = practice.signed_in_again(&api).await;
    let later = practice.admin.get(OVERVIEW).await.expect(200).body;
    assert_eq!((&later["as_of"], &later["date"]), (&json!("2027-01-06T10:00:00Z"), &json!("2027-01-15")));
    assert_eq!(later["revenue"]["overdue"], json!({ "count": 2, "amount": 7500 }));
    assert_eq!(later["pipeline"]["quotes"], json!({ "count": 0, "amount": 0 }));

    // Another practice sees its own, which is nothing.
    let other = other.signed_in_again(&api).await;
    let theirs = other.admin.get(OVERVIEW).await.expect(200).body;
    assert_eq!(theirs["revenue"]["last_month"], json!({ "invoiced": 0, "collected": 0 }));
    assert_eq!((&theirs["pipeline"]["not_invoiced"], &theirs["pipeline"]["coming"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn each_role_sees_what_it_may() {
    let api = TestApi::start_at(at("2026-12-15T09:00:00Z")).await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    december(&practice).await;
    refresh(&api).await;
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    let doctor = api.member(practice.tenant, "doctor@lilas.example", Role::Practitioner).await;
    let names = |history: &Value| -> Vec<String> {
        let series = history["series"].as_array().unwrap();
        series.iter().map(|series| series["name"].as_str().unwrap().to_owned()).collect()
    };
    let told = nurse.get(OVERVIEW).await.expect(200).body;
    assert_eq!((&told["revenue"], &told["pipeline"]), (&Value::Null, &json!({ "coming": 8 })));
    let counts = ["appointments", "no_shows", "cancelled", "new_patients"];
    assert_eq!(names(&nurse.get(HISTORY).await.expect(200).body), counts);
    for client in [&doctor, &practice.assistant, &practice.admin] {
        assert_eq!(client.get(OVERVIEW).await.expect(200).body["revenue"]["this_month"]["invoiced"], 11_500);
        let all = names(&client.get(HISTORY).await.expect(200).body);
        assert_eq!(all, [&counts[..], &["invoiced", "collected"]].concat());
    }
    let operator = api.operator().await;
    operator.get(OVERVIEW).await.refused(403, "forbidden");
    operator.get(HISTORY).await.refused(403, "forbidden");
    assert_eq!(api.get(OVERVIEW).await.body["code"], "missing_token");
}

#[tokio::test]
async fn the_years_month_by_month() {
    let api = TestApi::start_at(at("2026-12-15T09:00:00Z")).await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    practice.admin.get(HISTORY).await.refused(503, "unavailable");
    let ids = december(&practice).await;
    api.clock.set(at("2027-01-06T10:00:00Z"));
    let practice = practice.signed_in_again(&api).await;
    let missed = format!("/api/v1/appointments/{}/no-show", ids[1]);
    practice.assistant.send(reqwest::Method::PUT, &missed, &[], None).await.expect(204);
    refresh(&api).await;
    let told = practice.admin.get(&format!("{HISTORY}?from=2026&to=2027")).await.expect(200).body;
    assert_eq!(
        (&told["as_of"], &told["unit"], &told["time_zone"]),
        (&json!("2027-01-06T10:00:00Z"), &json!("month"), &json!("Europe/Paris"))
    );
    let labels = told["labels"].as_array().unwrap();
    assert_eq!((labels.len(), &labels[0], &labels[12]), (13, &json!("2026-01"), &json!("2027-01")));
    let series = |name: &str| -> (Value, Vec<i64>) {
        let all = told["series"].as_array().unwrap();
        let found = all.iter().find(|series| series["name"] == name).unwrap();
        let values: Vec<i64> = serde_json::from_value(found["values"].clone()).unwrap();
        assert!(values[..11].iter().all(|value| *value == 0), "{name}: months without anything");
        (found["unit"].clone(), values[11..].to_vec())
    };
    let (count, cents) = (json!("count"), json!("cents"));
    assert_eq!(series("appointments"), (count.clone(), vec![2, 4]), "up to today");
    assert_eq!(series("no_shows"), (count.clone(), vec![1, 0]));
    assert_eq!(series("cancelled"), (count.clone(), vec![1, 0]));
    assert_eq!(series("new_patients"), (count, vec![1, 0]));
    assert_eq!(series("invoiced"), (cents.clone(), vec![11_500, 0]));
    assert_eq!(series("collected"), (cents, vec![4000, 0]));
    let this_year = practice.admin.get(HISTORY).await.expect(200).body;
    assert_eq!(this_year["labels"], json!(["2027-01"]), "future months are absent");

    for (query, field, code) in [
        ("from=27", "from", "not_a_year"),
        ("from=1999", "from", "not_a_year"),
        ("from=2026&to=2025", "to", "wrong_order"),
        ("from=2028", "from", "in_the_future"),
        ("to=2028", "to", "in_the_future"),
        ("from=2017", "to", "wrong_length"),
        ("year=2027", "year", "unknown_field"),
    ] {
        let answer = practice.admin.get(&format!("{HISTORY}?{query}")).await;
        answer.refused(422, "invalid_input");
        let told: Vec<_> = answer.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| (&error["field"], &error["code"]))
            .collect();
        assert!(told.contains(&(&json!(field), &json!(code))), "{query}: {:#}", answer.body);
    }
}

#[tokio::test]
async fn days_and_months_are_those_of_the_practices_clocks() {
    let api = TestApi::start_at(at("2027-01-20T09:00:00Z")).await;
    let paris = api.practice("Lilas", Tz::Europe__Paris).await;
    let reunion = api.practice("Port", Tz::Indian__Reunion).await;
    for practice in [&paris, &reunion] {
        let (patient, practitioner) =
            (practice.patient("Zoé", "Noël").await, practice.practitioner("Roy").await);
        // One instant: half past midnight on the first of February in Réunion, half past nine in the evening before in Paris.
        let (begin, end) = ("2027-01-31T20:30:00Z", "2027-01-31T20:45:00Z");
        practice.booked(&patient, &practitioner, begin, end).await;
    }
    api.clock.set(at("2027-01-31T21:00:00Z"));
    refresh(&api).await;
    for (practice, date, labels, appointments) in [
        (paris, "2027-01-31", json!(["2027-01"]), json!([1])),
        (reunion, "2027-02-01", json!(["2027-01", "2027-02"]), json!([0, 1])),
    ] {
        let practice = practice.signed_in_again(&api).await;
        let told = practice.admin.get(OVERVIEW).await.expect(200).body;
        assert_eq!((&told["date"], &told["appointments"]["today"]["over"]), (&json!(date), &json!(1)));
        let history = practice.admin.get(HISTORY).await.expect(200).body;
        assert_eq!((&history["labels"], &history["series"][0]["values"]), (&labels, &appointments));
    }
}
