//! The stock: items, what comes and goes, the page.

use chrono_tz::Tz;
use permanence_domain::identity::Role;
use serde_json::{Value, json};

use crate::support::{Client, Practice, TestApi, at, walk};

const ITEMS: &str = "/api/v1/inventory/items";

pub(crate) fn gloves() -> Value {
    json!({ "name": "Gants nitrile M", "reference": "GN-M", "unit": "boîte", "supplier": "Médistore",
            "location": "Réserve", "threshold": 5000, "margin": 1000 })
}

pub(crate) async fn item(practice: &Practice<'_>, new: Value) -> String {
    practice.assistant.post(ITEMS, new).await.expect(201).id()
}

pub(crate) async fn moved(client: &Client<'_>, item: &str, movement: Value) -> Value {
    client.post(&format!("{ITEMS}/{item}/movements"), movement).await.expect(201).body
}

fn field(answer: &crate::support::Answer) -> (&str, &str) {
    let error = &answer.body["errors"][0];
    (error["field"].as_str().unwrap_or_default(), error["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn an_item_is_described_changed_and_removed() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let added = practice.assistant.post(ITEMS, gloves()).await.expect(201);
    assert_eq!(added.header("etag"), "\"1\"");
    assert_eq!((&added.body["quantity"], &added.body["badge"]), (&json!(0), &json!("out")));
    let path = format!("{ITEMS}/{}", added.id());
    assert_eq!(practice.assistant.get(&path).await.expect(200).body, added.body);

    let mut twin = gloves();
    twin["reference"] = json!("gn-m");
    practice.assistant.post(ITEMS, twin).await.refused(409, "reference_taken");
    let wrong = json!({ "name": " ", "unit": "x".repeat(21), "threshold": -1, "colour": "blue" });
    let codes: Vec<_> = practice.assistant.post(ITEMS, wrong).await.expect(422).body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["field"].clone(), error["code"].clone()))
        .collect();
    let expected = [
        ("colour", "unknown_field"),
        ("name", "not_a_text"),
        ("threshold", "not_a_count"),
        ("unit", "not_a_text"),
    ];
    assert_eq!(codes, expected.map(|(field, code)| (json!(field), json!(code))));

    let mut changed = gloves();
    changed["price_cents"] = json!(650);
    let answer = practice.assistant.put(&path, 1, changed.clone()).await.expect(200);
    assert_eq!((&answer.body["price_cents"], &answer.body["version"]), (&json!(650), &json!(2)));
    practice.assistant.put(&path, 1, changed).await.refused(409, "version_conflict");

    moved(&practice.assistant, &added.id(), json!({ "kind": "receipt", "quantity": 1000 })).await;
    practice.assistant.delete(&path).await.refused(409, "has_stock");
    moved(&practice.assistant, &added.id(), json!({ "kind": "loss", "quantity": 1000 })).await;
    practice.assistant.delete(&path).await.expect(204);
    practice.assistant.get(&path).await.refused(404, "not_found");
    item(&practice, gloves()).await;
}

#[tokio::test]
async fn the_stock_is_what_came_less_what_went() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = item(&practice, gloves()).await;
    let path = format!("{ITEMS}/{id}/movements");
    let stock = async |movement| moved(&practice.assistant, &id, movement).await["quantity"].clone();
    assert_eq!(stock(json!({ "kind": "receipt", "quantity": 10_000, "reason": "Livraison" })).await, 10_000);
    assert_eq!(stock(json!({ "kind": "use", "quantity": 1_500 })).await, 8_500);
    assert_eq!(stock(json!({ "kind": "loss", "quantity": 500 })).await, 8_000);
    assert_eq!(stock(json!({ "kind": "correction", "counted": 7_000 })).await, 7_000);
    let beyond = json!({ "kind": "use", "quantity": 7_001 });
    practice.assistant.post(&path, beyond.clone()).await.refused(409, "not_enough_stock");

    let log = practice.admin.get(&path).await.expect(200).body;
    let quantities: Vec<i64> =
        log["items"].as_array().unwrap().iter().map(|line| line["quantity"].as_i64().unwrap()).collect();
    assert_eq!(quantities.iter().sum::<i64>(), 7_000);
    assert_eq!(log["total"], 4, "what was refused left nothing");
    let numbered: Vec<_> = log["items"].as_array().unwrap().iter().map(|line| line["id"].clone()).collect();
    assert_eq!(walk(&practice.admin, &format!("{path}?limit=1")).await, numbered);
    let unknown = format!("{path}?before={}", uuid::Uuid::nil());
    practice.admin.get(&unknown).await.refused(404, "not_found");
    assert!(
        log["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|line| line["created_by"] == json!(practice.assistant.user))
    );

    let mut settings = practice.admin.get("/api/v1/settings").await.expect(200).body;
    let version = settings["version"].as_i64().unwrap();
    for read_only in ["version", "updated_at"] {
        settings.as_object_mut().unwrap().remove(read_only);
    }
    settings["allow_negative_stock"] = json!(true);
    practice.admin.put("/api/v1/settings", version, settings).await.expect(200);
    assert_eq!(stock(beyond).await, -1);
}

#[tokio::test]
async fn lots_are_used_in_the_order_in_which_they_expire() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = item(&practice, json!({ "name": "Lidocaïne", "unit": "flacon" })).await;
    let receive = async |lot: &str, expires: Option<&str>, quantity: u32| {
        let new = json!({ "kind": "receipt", "quantity": quantity, "lot": lot, "expires_on": expires });
        practice.assistant.post(&format!("{ITEMS}/{id}/movements"), new).await
    };
    receive("C", None, 2_000).await.expect(201);
    receive("B", Some("2027-03-01"), 3_000).await.expect(201);
    // It has expired in the practice, whatever the day is elsewhere.
    receive("A", Some("2027-01-03"), 1_000).await.expect(201);
    receive("B", Some("2027-04-01"), 1_000).await.refused(409, "other_expiry");
    receive("B", None, 500).await.expect(201);

    let used = moved(&practice.assistant, &id, json!({ "kind": "use", "quantity": 4_000 })).await;
    assert_eq!(used["badge"], "expired");
    let lots = json!([
        { "lot": "A", "expires_on": "2027-01-03", "quantity": 1_000 },
        { "lot": "C", "expires_on": null, "quantity": 1_500 },
    ]);
    assert_eq!(used["lots"], lots);
    let lost = moved(&practice.assistant, &id, json!({ "kind": "loss", "quantity": 1_200 })).await;
    assert_eq!((&lost["badge"], &lost["quantity"]), (&json!("ok"), &json!(1_300)));
    let path = format!("{ITEMS}/{id}/movements");
    let of_b = json!({ "kind": "use", "quantity": 1, "lot": "B" });
    practice.assistant.post(&path, of_b).await.refused(409, "not_enough_stock");
    let found = json!({ "kind": "correction", "counted": 700, "lot": "B" });
    assert_eq!(moved(&practice.assistant, &id, found).await["quantity"], 2_000);
}

#[tokio::test]
async fn a_movement_that_makes_no_sense_is_refused() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = item(&practice, gloves()).await;
    let path = format!("{ITEMS}/{id}/movements");
    for (movement, problem) in [
        (json!({ "kind": "receipt" }), ("quantity", "missing")),
        (json!({ "kind": "receipt", "quantity": 0 }), ("quantity", "not_a_count")),
        (json!({ "kind": "receipt", "quantity": 1, "counted": 1 }), ("counted", "not_for_kind")),
        (json!({ "kind": "correction", "quantity": 1, "counted": 1 }), ("quantity", "not_for_kind")),
        (json!({ "kind": "correction" }), ("counted", "missing")),
        (
            json!({ "kind": "use", "quantity": 1, "lot": "A", "expires_on": "2027-03-01" }),
            ("expires_on", "not_for_kind"),
        ),
        (json!({ "kind": "receipt", "quantity": 1, "expires_on": "2027-03-01" }), ("lot", "lot_needed")),
        (json!({ "kind": "use", "quantity": 1, "lot": "A" }), ("lot", "unknown_lot")),
        (json!({ "kind": "stolen", "quantity": 1 }), ("kind", "unknown_value")),
        (
            json!({ "kind": "use", "quantity": 1, "appointment_id": uuid::Uuid::nil() }),
            ("appointment_id", "unknown_appointment"),
        ),
    ] {
        let answer = practice.assistant.post(&path, movement.clone()).await.expect(422);
        assert_eq!(field(&answer), problem, "{movement}");
    }
    assert_eq!(practice.assistant.get(&path).await.expect(200).body["total"], 0);
}

#[tokio::test]
async fn the_same_key_moves_once() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = item(&practice, gloves()).await;
    let path = format!("{ITEMS}/{id}/movements");
    let receipt = json!({ "kind": "receipt", "quantity": 1000 });
    let first = practice.assistant.post_keyed(&path, "delivery", receipt.clone()).await.expect(201);
    let second = practice.assistant.post_keyed(&path, "delivery", receipt).await.expect(201);
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(first.body, second.body);
    assert_eq!(practice.assistant.get(&path).await.expect(200).body["total"], 1);
}

#[tokio::test]
async fn the_last_one_is_used_once_however_many_reach_for_it() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = item(&practice, gloves()).await;
    moved(&practice.assistant, &id, json!({ "kind": "receipt", "quantity": 3000 })).await;
    let path = format!("{ITEMS}/{id}/movements");
    let reach = || practice.assistant.post(&path, json!({ "kind": "use", "quantity": 1000 }));
    let answers = tokio::join!(reach(), reach(), reach(), reach(), reach(), reach());
    let mut statuses =
        [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5].map(|a| a.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 201, 409, 409, 409]);
    assert_eq!(practice.assistant.get(&format!("{ITEMS}/{id}")).await.expect(200).body["quantity"], 0);
}

#[tokio::test]
async fn the_page_tells_how_each_item_stands() {
    let api = TestApi::start_at(at("2027-01-04T22:30:00Z")).await;
    // Where the day has changed already.
    let practice = api.practice("Port", Tz::Indian__Reunion).await;
    let stocked = async |name: &str, threshold: u32, quantity: u32, expires: Option<&str>| {
        let id = item(
            &practice,
            json!({ "name": name, "unit": "u", "threshold": threshold,
                                         "supplier": "Médistore", "location": "Réserve" }),
        )
        .await;
        if quantity > 0 {
            let lot = expires.map(|_| "L1");
            let new = json!({ "kind": "receipt", "quantity": quantity, "lot": lot, "expires_on": expires });
            moved(&practice.assistant, &id, new).await;
        }
    };
    stocked("Éosine", 1000, 5000, None).await;
    stocked("Compresses", 1000, 999, None).await;
    stocked("Seringues", 1000, 0, None).await;
    stocked("Vaccin", 1000, 5000, Some("2027-02-04")).await;
    stocked("Sérum", 1000, 500, Some("2027-01-04")).await;
    stocked("Bandes", 1000, 1000, Some("2027-02-05")).await;

    let page = practice.assistant.get("/api/v1/inventory").await.expect(200).body;
    let badges: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| format!("{} {}", line["name"].as_str().unwrap(), line["badge"].as_str().unwrap()))
        .collect();
    let expected =
        ["Bandes ok", "Compresses low", "Éosine ok", "Seringues out", "Sérum expired", "Vaccin expiring"];
    assert_eq!(badges, expected);
    assert_eq!(page["counts"], json!({ "ok": 2, "low": 1, "out": 1, "expiring": 1, "expired": 1 }));

    let names = async |query: &str| {
        let page = practice.assistant.get(&format!("/api/v1/inventory?{query}")).await.expect(200).body;
        let names = page["items"].as_array().unwrap().iter().map(|line| line["name"].clone());
        (names.collect::<Vec<_>>(), page["total"].clone(), page["counts"]["ok"].clone())
    };
    assert_eq!(names("badge=low").await, (vec![json!("Compresses")], json!(1), json!(2)));
    assert_eq!(names("search=EOSINE%20medi").await, (vec![json!("Éosine")], json!(1), json!(1)));
    assert_eq!(names("search=eosine%20rien").await, (vec![], json!(0), json!(0)));
    assert_eq!(names("supplier=medistore&badge=out").await.1, 1);
    assert_eq!(names("location=cave").await.1, 0);
    assert_eq!(names("limit=2&page=2").await.0, [json!("Éosine"), json!("Seringues")]);
    let answer = practice.assistant.get("/api/v1/inventory?badge=blue").await.expect(422);
    assert_eq!(field(&answer), ("badge", "unknown_value"));
    let items = practice.assistant.get(&format!("{ITEMS}?search=serum")).await.expect(200).body;
    assert_eq!((&items["total"], &items["items"][0]["name"]), (&json!(1), &json!("Sérum")));
}

#[tokio::test]
async fn whoever_has_nothing_to_do_with_it_sees_no_stock() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let id = item(&practice, gloves()).await;
    let stranger = api.member(practice.tenant, "rh@lilas.example", Role::HrAdmin).await;
    let path = format!("{ITEMS}/{id}");
    for read in ["/api/v1/inventory", ITEMS, &path, &format!("{path}/movements")] {
        stranger.get(read).await.refused(403, "forbidden");
    }
    stranger.post(ITEMS, gloves()).await.refused(403, "forbidden");
    stranger.put(&path, 1, gloves()).await.refused(403, "forbidden");
    stranger.delete(&path).await.refused(403, "forbidden");
    let receipt = json!({ "kind": "receipt", "quantity": 1 });
    stranger.post(&format!("{path}/movements"), receipt).await.refused(403, "forbidden");
}

#[tokio::test]
async fn another_practices_stock_does_not_exist() {
    let api = TestApi::start().await;
    let own = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let id = item(&own, gloves()).await;
    let path = format!("{ITEMS}/{id}");
    other.admin.get(&path).await.refused(404, "not_found");
    other.admin.get(&format!("{path}/movements")).await.refused(404, "not_found");
    other.admin.put(&path, 1, gloves()).await.refused(404, "not_found");
    other.admin.delete(&path).await.refused(404, "not_found");
    let receipt = json!({ "kind": "receipt", "quantity": 1 });
    other.admin.post(&format!("{path}/movements"), receipt).await.refused(404, "not_found");
    assert_eq!(other.admin.get("/api/v1/inventory").await.expect(200).body["items"], json!([]));
    // Nor does its reference stand in the way.
    item(&other, gloves()).await;
}
