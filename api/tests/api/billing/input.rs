//! What an invoice and a seller may say, and all that is wrong with what they do say.

use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{INVOICES, codes, seller};
use crate::support::TestApi;

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let told =
        async |content: Value| codes(&practice.assistant.post(INVOICES, content).await.expect(422).body);
    assert_eq!(told(json!({})).await, ["patient_id one_of", "lines wrong_length"]);
    let buyer = json!({ "name": "TechCorp", "siren": "732829321", "vat_id": "FR00732829320" });
    let line = json!({ "name": " ", "unit_price": -1, "quantity": 0, "discount": 1, "discount_rate": 1, "unit": "XXX" });
    let mut told_of_fields = told(json!({ "buyer": buyer, "lines": [line] })).await;
    told_of_fields.sort();
    assert_eq!(
        told_of_fields,
        [
            "buyer.siren not_a_siren",
            "buyer.vat_id not_a_vat_id",
            "lines[0].name not_a_text",
            "lines[0].quantity not_a_quantity",
            "lines[0].unit unknown_value",
            "lines[0].unit_price not_an_amount",
        ]
    );
}

#[tokio::test]
async fn a_line_is_within_its_bounds_and_the_practices_vat() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let told =
        async |content: Value| codes(&practice.assistant.post(INVOICES, content).await.expect(422).body);
    let buyer = json!({ "name": "TechCorp" });
    let of = |line: Value| json!({ "buyer": buyer, "lines": [line] });
    for (line, code) in [
        (
            json!({ "name": "x", "unit_price": 1, "discount": 1, "discount_rate": 1 }),
            "lines[0].discount one_of",
        ),
        (json!({ "name": "x", "unit_price": 1, "discount": 2 }), "lines[0].discount discount_too_large"),
        (
            json!({ "name": "x", "unit_price": 100_000_000, "quantity": 1_000_000_000 }),
            "lines[0].unit_price amount_too_large",
        ),
        (
            json!({ "name": "x", "unit_price": 1, "vat": { "category": "standard", "rate": 1960 } }),
            "lines[0].vat.rate unknown_vat_rate",
        ),
        (
            json!({ "name": "x", "unit_price": 1, "vat": { "category": "care", "rate": 2000 } }),
            "lines[0].vat.rate exempt",
        ),
        (
            json!({ "name": "x", "unit_price": 1, "vat": { "category": "franchise" } }),
            "lines[0].vat.category not_in_franchise",
        ),
    ] {
        assert_eq!(told(of(line)).await, [code]);
    }
}

#[tokio::test]
async fn parts_are_no_larger_than_the_whole_and_parties_are_known() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let told =
        async |content: Value| codes(&practice.assistant.post(INVOICES, content).await.expect(422).body);
    let buyer = json!({ "name": "TechCorp" });
    let one = json!([{ "name": "x", "unit_price": 100, "vat": { "category": "care" } }]);
    for (more, code) in [
        (json!({ "discounts": [{ "reason": "x" }] }), "discounts[0].amount one_of"),
        (json!({ "discounts": [{ "reason": "x", "amount": 101 }] }), "discounts[0] discount_too_large"),
        (json!({ "insurer": { "share": 101 } }), "insurer.share share_too_large"),
        (json!({ "supplied_until": "2027-01-01" }), "supplied_from missing"),
        (
            json!({ "supplied_from": "2027-01-02", "supplied_until": "2027-01-01" }),
            "supplied_until wrong_order",
        ),
        (json!({ "patient_id": uuid::Uuid::new_v4() }), "patient_id unknown_patient"),
        (json!({ "practitioner_id": uuid::Uuid::new_v4() }), "practitioner_id unknown_practitioner"),
        (json!({ "appointment_id": uuid::Uuid::new_v4() }), "appointment_id unknown_appointment"),
    ] {
        let mut content = json!({ "buyer": buyer, "lines": one });
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(told(content).await, [code]);
    }
}

#[tokio::test]
async fn below_the_threshold_there_is_no_vat() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let mut billing = seller();
    billing["franchise"] = json!(true);
    let settings = json!({ "time_zone": "Europe/Paris", "billing": billing });
    practice.admin.put("/api/v1/settings", 1, settings).await.expect(200);
    let line = json!({ "name": "Coussin", "unit_price": 3000 });
    let issued = practice.issued(json!({ "buyer": { "name": "Zoé" }, "lines": [line] })).await;
    assert_eq!(
        issued["vat"],
        json!([{ "vat": { "category": "franchise", "rate": 0 }, "basis": 3000, "tax": 0 }])
    );
    let line = json!({ "name": "x", "unit_price": 1, "vat": { "category": "standard" } });
    let refused =
        practice.assistant.post(INVOICES, json!({ "buyer": { "name": "Zoé" }, "lines": [line] })).await;
    assert_eq!(codes(&refused.body), ["lines[0].vat.category vat_in_franchise"]);
}

#[tokio::test]
async fn the_seller_is_checked_when_it_is_set() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let told = async |billing: Value| {
        let settings = json!({ "time_zone": "Europe/Paris", "billing": billing });
        let mut codes = codes(&practice.admin.put("/api/v1/settings", 1, settings).await.expect(422).body);
        codes.sort();
        codes
    };
    assert_eq!(
        told(json!({})).await,
        ["billing.address missing", "billing.legal_name missing", "billing.siret missing"]
    );
    let mut wrong = seller();
    for (field, value) in [
        ("siret", json!("73282932000075")),
        ("vat_id", json!("FR4473282932")),
        ("iban", json!("FR7630006000011234567890188")),
        ("bic", json!("X")),
        ("invoice_prefix", json!("F1")),
        ("payment_days", json!(61)),
        ("reminder_days", json!([7, 7])),
        ("address", json!({ "line": "x", "postcode": "?", "city": "x", "country": "FRA" })),
    ] {
        wrong[field] = value;
    }
    assert_eq!(
        told(wrong).await,
        [
            "billing.address.country not_a_country",
            "billing.address.postcode not_a_postcode",
            "billing.bic not_a_bic",
            "billing.iban not_an_iban",
            "billing.invoice_prefix not_a_prefix",
            "billing.payment_days not_a_count",
            "billing.reminder_days not_reminder_days",
            "billing.siret not_a_siret",
            "billing.vat_id not_a_vat_id",
        ]
    );
    let mut clashing = seller();
    for (field, value) in [("vat_id", "FR83404833048"), ("quote_prefix", "F")] {
        clashing[field] = json!(value);
    }
    assert_eq!(told(clashing).await, ["billing.quote_prefix prefix_taken", "billing.vat_id another_company"]);
    practice.sells().await;
    let settings = practice.admin.get("/api/v1/settings").await.expect(200).body;
    assert_eq!(settings["billing"]["siret"], "73282932000074");
    assert_eq!(settings["billing"]["reminder_days"], json!([7, 30]));
}
