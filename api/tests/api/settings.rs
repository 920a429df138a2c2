//! What a practice decides for itself: read by all its staff, written by whoever runs it, checked field by field.

use chrono_tz::Tz;
use permanence_domain::{db::Actor, identity::Role, tenants};
use serde_json::{Value, json};

use crate::support::{TestApi, at};

const PATH: &str = "/api/v1/settings";

#[tokio::test]
async fn a_new_practice_has_the_defaults() {
    let api = TestApi::start().await;
    let practice = api.practice("Port", Tz::Indian__Reunion).await;
    let answer = practice.assistant.get(PATH).await.expect(200);
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(
        answer.body,
        json!({
            "time_zone": "Indian/Reunion",
            "opening_hours": { "1": [], "2": [], "3": [], "4": [], "5": [], "6": [], "7": [] },
            "quiet_hours": { "from": "20:00", "to": "08:00" }, "lead_times": [1440], "channels": ["sms", "email"],
            "sms_sender": null, "email_sender_name": null, "reply_to": null, "slot_minutes": 30, "buffer_minutes": 0,
            "minimum_notice_minutes": 0, "maximum_notice_days": 365, "patient_links": true,
            "cancellation_notice_minutes": 120, "disclose_specialty": false,
            "disclose_reason": false, "vat_rates": [0, 550, 1000, 2000], "billing": null, "expiry_notice_days": 30,
            "allow_negative_stock": false, "version": 1,
            "updated_at": "2027-01-04T08:00:00Z",
        })
    );
    // What is left out of a replacement has the same defaults.
    let least = json!({ "time_zone": "Indian/Reunion" });
    let mut replaced = practice.admin.put(PATH, 1, least).await.expect(200).body;
    replaced["version"] = json!(1);
    assert_eq!(replaced, answer.body);
}

#[tokio::test]
async fn settings_are_replaced_by_whoever_runs_the_practice_and_count_at_once() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let doctor = api.member(practice.tenant, "roy@lilas.example", Role::Practitioner).await;
    let new = json!({
        "time_zone": "America/Martinique",
        "opening_hours": { "1": [{ "from": "14:00", "to": "18:30" }, { "from": "08:00", "to": "12:00" }],
                           "6": [{ "from": "20:00", "to": "24:00" }] },
        "quiet_hours": { "from": "21:00", "to": "07:30" }, "lead_times": [2880, 120], "channels": ["email"],
        "sms_sender": "CabLilas1", "email_sender_name": "Cabinet des Lilas", "reply_to": "Accueil@Lilas.example",
        "slot_minutes": 20, "buffer_minutes": 5, "minimum_notice_minutes": 60, "maximum_notice_days": 90,
        "patient_links": false, "cancellation_notice_minutes": 1440, "disclose_specialty": true, "vat_rates": [0],
    });
    doctor.put(PATH, 1, new.clone()).await.refused(403, "forbidden");
    practice.assistant.put(PATH, 1, new.clone()).await.refused(403, "forbidden");
    practice
        .admin
        .send(reqwest::Method::PUT, PATH, &[], Some(new.clone()))
        .await
        .refused(428, "if_match_missing");
    api.clock.set(at("2027-01-04T08:10:00Z"));
    let changed = practice.admin.put(PATH, 1, new.clone()).await.expect(200);
    assert_eq!(
        (changed.header("etag"), &changed.body["updated_at"]),
        ("\"2\"", &json!("2027-01-04T08:10:00Z"))
    );
    for (field, value) in new.as_object().unwrap() {
        match field.as_str() {
            "opening_hours" => assert_eq!(changed.body[field]["1"], value["1"], "as written, in any order"),
            "reply_to" => assert_eq!(changed.body[field], "accueil@lilas.example"),
            _ => assert_eq!(&changed.body[field], value, "{field}"),
        }
    }
    assert_eq!(doctor.get(PATH).await.expect(200).body, changed.body);
    practice.admin.put(PATH, 1, new).await.refused(409, "version_conflict");
    assert_eq!(other.admin.get(PATH).await.expect(200).body["version"], 1, "another practice keeps its own");

    // The next booking is read by the new clocks, in whatever place the zone is asked for.
    assert_eq!(practice.assistant.get("/api/v1/appointments").await.body["time_zone"], "America/Martinique");
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    let settings = tenants::settings(&mut tx).await.unwrap();
    assert_eq!((settings.zone(), settings.slot_minutes.get()), (Tz::America__Martinique, 20));
    assert!(settings.quiet_hours.holds("07:29:59".parse().unwrap()));
    let noted: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'settings.update'")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    assert_eq!(noted, 1);
}

#[tokio::test]
async fn every_wrong_setting_is_told_at_once() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let bad = json!({
        "time_zone": "Europe/Lilas",
        "opening_hours": {
            "1": [{ "from": "08:00", "to": "12:00" }, { "from": "11:00", "to": "13:00" }],
        },
        "quiet_hours": { "from": "08:00", "to": "07:00" },
        "lead_times": [1440, 119, 1440, 86_401], "channels": ["sms", "fax"],
        "sms_sender": "0123456789", "email_sender_name": "Lilas\r\nBcc: x@example.fr", "reply_to": "x\r\ny",
        "slot_minutes": 4, "buffer_minutes": -1, "minimum_notice_minutes": 1.5, "maximum_notice_days": 0,
        "disclose_specialty": "no", "disclose_names": true, "vat_rates": [],
    });
    let answer = practice.admin.put(PATH, 1, bad).await;
    answer.refused(422, "invalid_input");
    let mut told: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{} {}", error["field"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "buffer_minutes not_a_count",
            "channels[1] unknown_value",
            "disclose_names unknown_field",
            "disclose_specialty wrong_type",
            "email_sender_name not_a_text",
            "lead_times[1] not_a_count",
            "lead_times[3] not_a_count",
            "maximum_notice_days not_a_count",
            "minimum_notice_minutes wrong_type",
            "opening_hours.1[1] overlapping",
            "quiet_hours too_quiet",
            "reply_to not_an_email",
            "slot_minutes not_a_count",
            "sms_sender not_a_sender",
            "time_zone not_a_zone",
            "vat_rates wrong_length",
        ]
    );
}

#[tokio::test]
async fn hours_and_lists_have_rules_of_their_own() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let told = async |field: &str, value: Value| {
        let mut body = json!({ "time_zone": "Europe/Paris" });
        body[field] = value;
        let answer = practice.admin.put(PATH, 1, body).await;
        answer.refused(422, "invalid_input");
        let error = &answer.body["errors"][0];
        format!("{} {}", error["field"].as_str().unwrap(), error["code"].as_str().unwrap())
    };
    let hours = |from: &str, to: &str| json!({ "3": [{ "from": from, "to": to }] });
    assert_eq!(told("opening_hours", hours("12:00", "12:00")).await, "opening_hours.3[0].to wrong_order");
    assert_eq!(
        told("opening_hours", hours("8:00", "12:00")).await,
        "opening_hours.3[0].from not_a_time_of_day"
    );
    assert_eq!(told("opening_hours", json!({ "0": [] })).await, "opening_hours.0 unknown_field");
    assert_eq!(
        told("quiet_hours", json!({ "from": "00:00", "to": "24:00" })).await,
        "quiet_hours too_quiet",
        "neither a whole day nor nothing"
    );
    assert_eq!(told("quiet_hours", json!({ "from": "20:00" })).await, "quiet_hours.to missing");
    assert_eq!(told("lead_times", json!([1440, 120, 1440])).await, "lead_times[2] repeated");
    assert_eq!(told("lead_times", json!([])).await, "lead_times wrong_length");
    assert_eq!(told("lead_times", json!([120, 121, 122, 123, 124, 125])).await, "lead_times wrong_length");
    assert_eq!(told("channels", json!(["sms", "sms"])).await, "channels[1] repeated");
    for sender in ["", "Lilas Paris", "AccueilLilas", "Éole", "Lilas\n"] {
        assert_eq!(told("sms_sender", json!(sender)).await, "sms_sender not_a_sender", "{sender}");
    }
    let answer = practice.admin.put(PATH, 1, json!({})).await;
    assert_eq!(
        answer.body["errors"],
        json!([{ "field": "time_zone", "code": "missing", "expected": "a value" }])
    );
}

#[tokio::test]
async fn only_a_practice_has_settings() {
    let api = TestApi::start().await;
    let operator = api.operator().await;
    operator.get(PATH).await.refused(403, "forbidden");
}
