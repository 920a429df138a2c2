//! When practitioners see patients: said by rules and exceptions, offered as slots, kept by bookings.

use chrono::{Duration, NaiveDateTime};
use chrono_tz::Tz;
use permanence_domain::identity::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Practice, TestApi, at};

const PATH: &str = "/api/v1/availability";
const APPOINTMENTS: &str = "/api/v1/appointments";

fn rule(weekday: u32, from: &str, to: &str) -> Value {
    json!({ "weekday": weekday, "from": from, "to": to })
}

/// Begins of the slots of one day, those that are taken in brackets.
async fn slots(caller: &Client<'_>, practitioner: &str, day: &str) -> Vec<String> {
    let path = format!("{PATH}/slots?practitioner_id={practitioner}&from={day}&to={day}");
    let slot = |slot: &Value| {
        let begin = slot["start_time"].as_str().unwrap();
        if slot["available"] == json!(true) { begin.to_owned() } else { format!("({begin})") }
    };
    caller.get(&path).await.expect(200).body["items"].as_array().unwrap().iter().map(slot).collect()
}

/// Books half an hour, or whatever is asked for.
async fn book(
    practice: &Practice<'_>,
    caller: &Client<'_>,
    practitioner: &str,
    begin: &str,
    more: Value,
) -> Answer {
    let end = NaiveDateTime::parse_from_str(begin, "%Y-%m-%dT%H:%M").unwrap() + Duration::minutes(30);
    let mut body = json!({ "patient_id": practice.patient("Zoé", "Noël").await, "practitioner_id": practitioner,
        "starts_at": begin, "ends_at": end.format("%Y-%m-%dT%H:%M").to_string() });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    caller.post(APPOINTMENTS, body).await
}

fn settings(more: &Value) -> Value {
    let mut body = json!({ "time_zone": "Europe/Paris" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn told(answer: &Answer) -> Vec<String> {
    answer.refused(422, "invalid_input");
    let error =
        |error: &Value| format!("{} {}", error["field"].as_str().unwrap(), error["code"].as_str().unwrap());
    answer.body["errors"].as_array().unwrap().iter().map(error).collect()
}

#[tokio::test]
async fn slots_are_right_on_both_days_on_which_the_clocks_change() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let roy = practice.practitioner("Roy").await;
    let plan = json!({ "rules": [rule(7, "01:00", "04:00")] });
    practice.admin.put(&format!("{PATH}/{roy}"), 1, plan).await.expect(200);
    let hourly = settings(&json!({ "slot_minutes": 60 }));
    practice.admin.put("/api/v1/settings", 1, hourly).await.expect(200);
    assert_eq!(
        slots(&practice.assistant, &roy, "2027-03-28").await,
        ["2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z"],
        "01:00 and 03:00: the clocks skip an hour"
    );
    book(&practice, &practice.assistant, &roy, "2027-10-31T01:00", json!({})).await.expect(201);
    assert_eq!(
        slots(&practice.assistant, &roy, "2027-10-31").await,
        ["(2027-10-30T23:00:00Z)", "2027-10-31T00:00:00Z", "2027-10-31T01:00:00Z", "2027-10-31T02:00:00Z"],
        "02:00 comes twice"
    );
    // The second one can be booked by its offset.
    let second = json!({ "starts_at": "2027-10-31T02:00:00+01:00", "ends_at": "2027-10-31T03:00:00+01:00" });
    book(&practice, &practice.assistant, &roy, "2027-10-31T02:00", second).await.expect(201);
    assert_eq!(slots(&practice.assistant, &roy, "2027-10-31").await[2], "(2027-10-31T01:00:00Z)");
    let port = api.practice("Port", Tz::Indian__Reunion).await;
    let payet = port.practitioner("Payet").await;
    let path =
        format!("{PATH}/slots?practitioner_id={payet}&from=2027-03-27&to=2027-03-29&duration_minutes=720");
    let answer = port.assistant.get(&path).await.expect(200).body;
    assert_eq!((&answer["time_zone"], &answer["practitioner_id"]), (&json!("Indian/Reunion"), &json!(payet)));
    assert_eq!(
        answer["items"][0],
        json!({ "start_time": "2027-03-26T20:00:00Z", "end_time": "2027-03-27T08:00:00Z", "available": true,
            "room_id": null }),
        "without rules and hours it is open always"
    );
    assert_eq!(answer["items"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_plan_is_replaced_and_its_entries_come_and_go() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let roy = practice.practitioner("Roy").await;
    let room = practice.room("Cabinet 1").await;
    let admin = &practice.admin;
    let path = format!("{PATH}/{roy}");
    let empty = admin.get(&path).await.expect(200);
    assert_eq!(empty.body, json!({ "practitioner_id": roy, "rules": [], "exceptions": [], "version": 1 }));
    let mut monday = rule(1, "09:00", "10:00");
    monday["room_id"] = json!(room);
    let plan = json!({ "rules": [rule(2, "14:00", "15:00"), monday] });
    let kept = admin.put(&path, 1, plan.clone()).await.expect(200);
    assert_eq!((kept.header("etag"), kept.body["rules"].as_array().unwrap().len()), ("\"2\"", 2));
    assert_eq!(
        kept.body["rules"][0]["rule"],
        json!({ "weekday": 1, "from": "09:00", "to": "10:00", "valid_from": null, "valid_until": null,
            "every_weeks": 1, "room_id": room, "slot_minutes": null })
    );
    admin.put(&path, 1, plan).await.refused(409, "version_conflict");

    let away = json!({ "practitioner_id": roy,
        "exception": { "kind": "closed", "date": "2027-01-11", "reason": "Formation" } });
    let added = admin.post_keyed(PATH, "away", away.clone()).await.expect(201);
    let again = admin.post_keyed(PATH, "away", away).await.expect(201);
    assert_eq!((again.id(), again.header("idempotency-replayed")), (added.id(), "true"));
    let entry = format!("{PATH}/entries/{}", added.id());
    assert_eq!((added.header("location"), added.header("etag")), (entry.as_str(), "\"1\""));
    assert_eq!(
        added.body["exception"],
        json!({ "kind": "closed", "starts_at": "2027-01-10T23:00:00Z", "ends_at": "2027-01-11T23:00:00Z",
            "reason": "Formation" })
    );
    assert_eq!(slots(admin, &roy, "2027-01-11").await, [""; 0]);
    let late = json!({ "exception": { "kind": "closed", "starts_at": "2027-01-11T09:00",
        "ends_at": "2027-01-11T09:30" } });
    let changed = admin.put(&entry, 1, late.clone()).await.expect(200);
    assert_eq!((changed.header("etag"), &changed.body["exception"]["reason"]), ("\"2\"", &json!(null)));
    admin.put(&entry, 1, late).await.refused(409, "version_conflict");
    assert_eq!(slots(admin, &roy, "2027-01-11").await, ["2027-01-11T08:30:00Z"]);
    let saturday = json!({ "practitioner_id": roy, "exception": { "kind": "open",
        "starts_at": "2027-01-16T10:00", "ends_at": "2027-01-16T11:00" } });
    admin.post(PATH, saturday).await.expect(201);
    assert_eq!(slots(admin, &roy, "2027-01-16").await, ["2027-01-16T09:00:00Z", "2027-01-16T09:30:00Z"]);
    let all = admin.get(&path).await.expect(200).body;
    assert_eq!((&all["version"], all["exceptions"].as_array().unwrap().len()), (&json!(5), 2));

    admin.delete(&entry).await.expect(204);
    admin.delete(&entry).await.refused(404, "not_found");
    assert_eq!(slots(admin, &roy, "2027-01-11").await.len(), 2);
    // The room is not proposed any more once it is gone.
    let proposed = format!("{PATH}/slots?practitioner_id={roy}&from=2027-01-11&to=2027-01-11");
    assert_eq!(admin.get(&proposed).await.body["items"][0]["room_id"], json!(room));
    admin.delete(&format!("/api/v1/rooms/{room}")).await.expect(204);
    assert_eq!(admin.get(&proposed).await.body["items"][0]["room_id"], json!(null));
}

#[tokio::test]
async fn a_practitioner_changes_their_own_and_the_front_desk_none() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let doctor = api.member(practice.tenant, "roy@lilas.example", Role::Practitioner).await;
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    let own = json!({ "first_name": "Camille", "last_name": "Roy", "user_id": doctor.user });
    let own = practice.admin.post("/api/v1/practitioners", own).await.expect(201).id();
    let other = practice.practitioner("Benali").await;
    let plan = json!({ "rules": [rule(1, "09:00", "12:00")] });
    doctor.put(&format!("{PATH}/{own}"), 1, plan.clone()).await.expect(200);
    let refused = doctor.put(&format!("{PATH}/{other}"), 1, plan.clone()).await;
    refused.refused(403, "forbidden");
    assert!(refused.body["detail"].as_str().unwrap().contains("practice:write"));
    for caller in [&practice.assistant, &nurse] {
        caller.put(&format!("{PATH}/{own}"), 2, plan.clone()).await.refused(403, "forbidden");
        caller.get(&format!("{PATH}/{own}")).await.expect(200);
        assert_eq!(slots(caller, &own, "2027-01-11").await.len(), 6);
    }
}

#[tokio::test]
async fn a_booking_keeps_to_the_availability_unless_its_caller_may_and_does_ask() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let doctor = api.member(practice.tenant, "roy@lilas.example", Role::Practitioner).await;
    let roy = practice.practitioner("Roy").await;
    let desk = &practice.assistant;
    let hours = settings(&json!({ "opening_hours": { "1": [{ "from": "09:00", "to": "12:00" }],
        "2": [{ "from": "09:00", "to": "12:00" }] } }));
    practice.admin.put("/api/v1/settings", 1, hours).await.expect(200);
    // Without rules the practitioner is there whenever the practice is open.
    let booked = book(&practice, desk, &roy, "2027-01-11T09:00", json!({})).await.expect(201);
    book(&practice, desk, &roy, "2027-01-13T09:00", json!({})).await.refused(409, "outside_availability");
    let plan = json!({ "rules": [rule(1, "10:00", "14:00")] });
    practice.admin.put(&format!("{PATH}/{roy}"), 1, plan).await.expect(200);
    book(&practice, desk, &roy, "2027-01-11T10:00", json!({})).await.expect(201);
    for outside in ["2027-01-11T09:30", "2027-01-11T12:00", "2027-01-12T10:00"] {
        book(&practice, desk, &roy, outside, json!({})).await.refused(409, "outside_availability");
    }
    let asked = json!({ "outside_availability": true });
    let refused = book(&practice, desk, &roy, "2027-01-12T10:00", asked.clone()).await;
    refused.refused(403, "forbidden");
    assert!(refused.body["detail"].as_str().unwrap().contains("appointments:override"));
    // Nobody overrides by accident.
    book(&practice, &doctor, &roy, "2027-01-12T10:00", json!({})).await.refused(409, "outside_availability");
    book(&practice, &doctor, &roy, "2027-01-12T10:00", asked.clone()).await.expect(201);
    book(&practice, &doctor, &roy, "2027-01-12T10:00", asked.clone()).await.refused(409, "slot_taken");

    // What stands may keep its time; another time must be open.
    let path = format!("{APPOINTMENTS}/{}", booked.id());
    let mut body = json!({ "patient_id": booked.body["patient"]["id"], "practitioner_id": roy,
        "room_id": practice.room("Cabinet 1").await, "starts_at": "2027-01-11T09:00", "ends_at": "2027-01-11T09:30" });
    desk.put(&path, 1, body.clone()).await.expect(200);
    body["ends_at"] = json!("2027-01-11T09:45");
    desk.put(&path, 2, body.clone()).await.refused(409, "outside_availability");
    body["starts_at"] = json!("2027-01-11T11:00");
    body["ends_at"] = json!("2027-01-11T11:30");
    desk.put(&path, 2, body.clone()).await.expect(200);
    body["starts_at"] = json!("2027-01-11T13:00");
    body["ends_at"] = json!("2027-01-11T13:30");
    desk.put(&path, 3, body.clone()).await.refused(409, "outside_availability");
    body["outside_availability"] = json!(true);
    desk.put(&path, 3, body.clone()).await.refused(403, "forbidden");
    doctor.put(&path, 3, body).await.expect(200);
}

#[tokio::test]
async fn buffer_and_notice_count_in_slots_and_bookings_alike() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let roy = practice.practitioner("Roy").await;
    let desk = &practice.assistant;
    let rules =
        settings(&json!({ "buffer_minutes": 15, "minimum_notice_minutes": 120, "maximum_notice_days": 10,
        "opening_hours": { "1": [{ "from": "10:00", "to": "13:00" }] } }));
    practice.admin.put("/api/v1/settings", 1, rules).await.expect(200);
    // It is 9:00 in Paris.
    assert_eq!(
        slots(desk, &roy, "2027-01-04").await,
        ["(2027-01-04T09:00:00Z)", "(2027-01-04T09:45:00Z)", "2027-01-04T10:30:00Z", "2027-01-04T11:15:00Z"]
    );
    let refused = async |begin: &str, why: &str| {
        let answer = book(&practice, desk, &roy, begin, json!({})).await;
        answer.refused(409, "outside_availability");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{detail}");
    };
    refused("2027-01-04T10:29", "at least 120 minutes ahead").await;
    refused("2027-01-18T10:00", "at most 10 days ahead").await;
    book(&practice, desk, &roy, "2027-01-11T11:00", json!({})).await.expect(201);
    assert_eq!(
        slots(desk, &roy, "2027-01-11").await,
        ["2027-01-11T09:00:00Z", "(2027-01-11T09:45:00Z)", "(2027-01-11T10:30:00Z)", "2027-01-11T11:15:00Z"]
    );
    refused("2027-01-11T10:20", "15 minutes must lie").await;
    book(&practice, desk, &roy, "2027-01-11T10:29", json!({})).await.refused(409, "outside_availability");
    book(&practice, desk, &roy, "2027-01-11T11:15", json!({})).await.refused(409, "slot_taken");
    book(&practice, desk, &roy, "2027-01-11T10:15", json!({})).await.expect(201);
}

#[tokio::test]
async fn of_bookings_that_come_at_once_none_comes_nearer_than_the_buffer() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let roy = practice.practitioner("Roy").await;
    let buffer = settings(&json!({ "buffer_minutes": 60 }));
    practice.admin.put("/api/v1/settings", 1, buffer).await.expect(200);
    // None overlaps another, so no constraint keeps them apart: half hours with five minutes between two.
    let attempts = (0..12).map(|number| {
        let begin = 9 * 60 + number * 35;
        let begin = format!("2027-01-11T{:02}:{:02}", begin / 60, begin % 60);
        let (practice, roy) = (&practice, &roy);
        async move { book(practice, &practice.assistant, roy, &begin, json!({})).await }
    });
    let answers = futures::future::join_all(attempts).await;
    let mut begins: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| at(answer.body["starts_at"].as_str().unwrap()))
        .collect();
    begins.sort_unstable();
    assert!(
        !begins.is_empty() && begins.windows(2).all(|two| two[1] - two[0] >= Duration::minutes(90)),
        "{begins:?}"
    );
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "outside_availability");
    }
}

#[tokio::test]
async fn every_problem_of_an_entry_is_told_by_field() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let roy = practice.practitioner("Roy").await;
    let said = async |what: &Value| {
        let mut body = json!({ "practitioner_id": roy });
        body.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        told(&practice.admin.post(PATH, body).await)
    };
    let exception = |what: &Value| json!({ "exception": what });
    assert_eq!(said(&json!({})).await, ["rule one_of"]);
    assert_eq!(
        said(&json!({ "rule": rule(1, "09:00", "10:00"), "exception": { "kind": "closed", "date": "2027-01-11" } }))
            .await,
        ["rule one_of"]
    );
    assert_eq!(
        said(&json!({ "rule": { "weekday": 0, "from": "9h", "until": "10:00", "slot_minutes": 1 } })).await,
        [
            "rule.from not_a_time_of_day",
            "rule.slot_minutes not_a_count",
            "rule.until unknown_field",
            "rule.weekday not_a_count",
            "rule.to missing",
        ]
    );
    assert_eq!(
        said(&json!({ "rule": { "weekday": 1, "from": "10:00", "to": "09:00", "valid_from": "2027-02-01",
            "valid_until": "2027-01-01" } }))
        .await,
        ["rule.to wrong_order", "rule.valid_until wrong_order"]
    );
    let every_other = json!({ "rule": { "weekday": 1, "from": "09:00", "to": "10:00", "every_weeks": 2 } });
    assert_eq!(said(&every_other).await, ["rule.valid_from missing"]);
    let elsewhere = json!({ "rule": { "weekday": 1, "from": "09:00", "to": "10:00", "room_id": roy } });
    assert_eq!(said(&elsewhere).await, ["rule.room_id unknown_room"]);
    assert_eq!(
        said(&exception(&json!({ "kind": "closed" }))).await,
        ["exception.starts_at missing", "exception.ends_at missing"]
    );
    assert_eq!(
        said(&exception(
            &json!({ "kind": "open", "starts_at": "2027-03-28T02:15", "ends_at": "2027-10-31T02:15" })
        ))
        .await,
        ["exception.starts_at skipped_time", "exception.ends_at ambiguous_time"]
    );
    assert_eq!(
        said(&exception(
            &json!({ "kind": "open", "starts_at": "2027-03-28T04:15", "ends_at": "2027-03-28T04:15" })
        ))
        .await,
        ["exception.ends_at wrong_length"]
    );
    let mut both = json!({ "kind": "away", "date": "2027-01-11", "starts_at": "2027-01-11T09:00" });
    assert_eq!(said(&exception(&both)).await, ["exception.kind unknown_value"]);
    both["kind"] = json!("closed");
    assert_eq!(said(&exception(&both)).await, ["exception.date one_of"]);
}

#[tokio::test]
async fn every_problem_of_a_plan_and_of_a_question_is_told_by_field() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let roy = practice.practitioner("Roy").await;
    let plan =
        json!({ "rules": [rule(1, "09:00", "10:00"), rule(8, "09:00", "10:00"), rule(3, "10:00", "10:00")] });
    let path = format!("{PATH}/{roy}");
    let answer = practice.admin.put(&path, 1, plan).await;
    assert_eq!(told(&answer), ["rules[1].weekday not_a_count", "rules[2].to wrong_order"]);
    let many = vec![rule(1, "09:00", "10:00"); 101];
    assert_eq!(told(&practice.admin.put(&path, 1, json!({ "rules": many })).await), ["rules wrong_length"]);
    for (query, problems) in [
        ("from=2027-01-11", vec!["practitioner_id missing", "to missing"]),
        (
            "practitioner_id=x&from=2027-1-11&to=2027-01-12&duration_minutes=4",
            vec!["duration_minutes not_a_count", "from not_a_date", "practitioner_id not_a_uuid"],
        ),
        ("practitioner_id=ROY&from=2027-01-11&to=2027-01-10", vec!["to wrong_order"]),
        ("practitioner_id=ROY&from=2027-01-11&to=2027-03-14", vec!["to wrong_length"]),
    ] {
        let path = format!("{PATH}/slots?{}", query.replace("ROY", &roy));
        let mut found = told(&practice.assistant.get(&path).await);
        found.sort_unstable();
        assert_eq!(found, problems);
    }
    let path = format!("{PATH}/slots?practitioner_id={roy}&from=2027-01-11&to=2027-03-13");
    assert_eq!(
        practice.assistant.get(&path).await.expect(200).body["items"].as_array().unwrap().len(),
        62 * 48
    );
}
