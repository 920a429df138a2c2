//! The agenda: booked, moved, cancelled, right across the changes of the clocks, never twice.

use chrono_tz::Tz;
use permanence_domain::identity::Role;
use serde_json::{Value, json};

use crate::support::{Practice, TestApi, at, walk};

const PATH: &str = "/api/v1/appointments";

async fn parties(practice: &Practice<'_>) -> Value {
    json!({
        "patient_id": practice.patient("Hélène", "Garcia").await,
        "practitioner_id": practice.practitioner("Roy").await,
        "room_id": practice.room("Cabinet 1").await,
    })
}

fn from(parties: &Value, starts_at: &str, ends_at: &str) -> Value {
    let mut body = parties.clone();
    body["starts_at"] = json!(starts_at);
    body["ends_at"] = json!(ends_at);
    body
}

async fn reminders(practice: &Practice<'_>, id: &str) -> Vec<(String, String)> {
    let answer = practice.assistant.get(&format!("{PATH}/{id}/messages")).await.expect(200);
    let pair = |log: &Value| {
        (log["status"].as_str().unwrap().to_owned(), log["due_at"].as_str().unwrap().to_owned())
    };
    let reminders = answer.body.as_array().unwrap().iter().filter(|log| log["purpose"] == "reminder");
    reminders.map(pair).collect()
}

#[tokio::test]
async fn a_booking_plans_its_reminder_a_move_plans_it_anew_and_a_cancellation_voids_it() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let who = parties(&practice).await;
    let booked =
        practice.assistant.post(PATH, from(&who, "2027-01-15T14:30", "2027-01-15T15:00")).await.expect(201);
    assert_eq!(booked.body["starts_at"], "2027-01-15T13:30:00Z");
    assert_eq!(booked.body["starts_local"], "2027-01-15T14:30:00");
    assert_eq!(booked.body["patient"]["name"], "Hélène Garcia");
    let id = booked.id();
    let planned = |due: &str| ("planned".to_owned(), due.to_owned());
    assert_eq!(reminders(&practice, &id).await, [planned("2027-01-14T13:30:00Z")]);

    let path = format!("{PATH}/{id}");
    let elsewhere = from(&who, "2027-01-15T14:30", "2027-01-15T15:30");
    practice.assistant.put(&path, 1, elsewhere).await.expect(200);
    assert_eq!(reminders(&practice, &id).await.len(), 1, "a longer appointment keeps its reminder");
    let later = from(&who, "2027-01-16T09:00", "2027-01-16T09:30");
    practice.assistant.put(&path, 2, later.clone()).await.expect(200);
    let cancelled = ("cancelled".to_owned(), "2027-01-14T13:30:00Z".to_owned());
    assert_eq!(reminders(&practice, &id).await, [planned("2027-01-15T08:00:00Z"), cancelled]);
    practice.assistant.put(&path, 2, later.clone()).await.refused(409, "version_conflict");

    practice.assistant.delete(&path).await.expect(204);
    practice.assistant.delete(&path).await.expect(204);
    assert!(reminders(&practice, &id).await.iter().all(|(status, _)| status == "cancelled"));
    practice.assistant.put(&path, 4, later.clone()).await.refused(409, "appointment_cancelled");
    practice.assistant.post(PATH, later).await.expect(201);
}

#[tokio::test]
async fn reminders_follow_consent_and_leave_no_time_to_no_use() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let who = parties(&practice).await;
    let book = async |starts: &str, ends: &str| {
        practice.assistant.post(PATH, from(&who, starts, ends)).await.expect(201).id()
    };
    let near = book("2027-01-04T10:30", "2027-01-04T11:00").await;
    assert_eq!(reminders(&practice, &near).await, [], "one and a half hours ahead");
    let today = book("2027-01-04T16:00", "2027-01-04T16:30").await;
    assert_eq!(reminders(&practice, &today).await[0].1, "2027-01-04T08:00:00Z", "at once");

    let next = book("2027-01-20T16:00", "2027-01-20T16:30").await;
    let patient = format!("/api/v1/patients/{}", who["patient_id"].as_str().unwrap());
    let silent = json!({ "first_name": "Hélène", "last_name": "Garcia", "consents": {} });
    practice.assistant.put(&patient, 1, silent).await.expect(200);
    assert_eq!(reminders(&practice, &next).await[0].0, "cancelled");
    let by_mail = json!({ "first_name": "Hélène", "last_name": "Garcia", "email": "h@example.fr",
        "consents": { "reminder_email": true } });
    // The newest is told first, and two of one moment have no order.
    api.clock.advance(std::time::Duration::from_secs(1));
    practice.assistant.put(&patient, 2, by_mail).await.expect(200);
    let waiting =
        practice.assistant.get("/api/v1/messages?status=planned&purpose=reminder").await.expect(200).body;
    assert_eq!((&waiting["total"], &waiting["items"][0]["appointment_id"]), (&json!(2), &json!(next)));
    let all = practice.assistant.get("/api/v1/messages?purpose=reminder").await.expect(200).body;
    assert_eq!(all["total"], 4);
    let told = practice.assistant.get(&format!("{patient}/messages")).await.expect(200).body;
    assert_eq!((&told["total"], &told["items"][0]["events"][0]["event"]), (&json!(4), &json!("planned")));
    practice.assistant.get("/api/v1/messages?status=lost").await.refused(422, "invalid_input");
    let numbered: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|message| message["id"].clone()).collect();
    assert_eq!(walk(&practice.assistant, "/api/v1/messages?purpose=reminder&limit=3").await, numbered);
    let other = api.practice("Roses", Tz::Europe__Paris).await;
    let before = format!("/api/v1/messages?before={}", numbered[0].as_str().unwrap());
    other.assistant.get(&before).await.refused(404, "not_found");
    practice.assistant.get(&format!("{before}&page=2")).await.refused(422, "invalid_input");
    let log = practice.assistant.get(&format!("{PATH}/{next}/messages")).await.body;
    assert_eq!((&log[0]["status"], &log[0]["channel"]), (&json!("planned"), &json!("email")));
}

#[tokio::test]
async fn two_hundred_bookings_of_one_slot_have_one_winner() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let who = parties(&practice).await;
    let attempts = (0..200).map(|number| {
        // All overlap, in different ways; each in its own right.
        let minute = number % 20;
        let body = from(&who, &format!("2027-01-15T14:{minute:02}"), "2027-01-15T15:00");
        practice.assistant.post(PATH, body)
    });
    let answers = futures::future::join_all(attempts).await;
    let won = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(won, 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "slot_taken");
    }
    let agenda = practice.assistant.get(&format!("{PATH}?date=2027-01-15")).await.expect(200).body;
    assert_eq!(agenda["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn practitioner_room_and_patient_are_each_in_one_place() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let who = parties(&practice).await;
    let others = json!({
        "patient_id": practice.patient("Loïc", "Lefèvre").await,
        "practitioner_id": practice.practitioner("Benali").await,
        "room_id": practice.room("Cabinet 2").await,
    });
    practice.assistant.post(PATH, from(&who, "2027-01-15T14:00", "2027-01-15T15:00")).await.expect(201);
    for (shared, told) in
        [("patient_id", "the patient"), ("practitioner_id", "the practitioner"), ("room_id", "the room")]
    {
        let mut body = from(&others, "2027-01-15T14:30", "2027-01-15T15:30");
        body[shared] = who[shared].clone();
        let answer = practice.assistant.post(PATH, body).await;
        answer.refused(409, "slot_taken");
        assert!(answer.body["detail"].as_str().unwrap().starts_with(told), "{}", answer.body["detail"]);
        let value = who[shared].as_str().unwrap();
        let query =
            format!("{PATH}/conflicts?starts_at=2027-01-15T14:30&ends_at=2027-01-15T15:30&{shared}={value}");
        let conflicts = practice.assistant.get(&query).await.expect(200).body;
        assert_eq!((&conflicts["free"], conflicts["items"].as_array().unwrap().len()), (&json!(false), 1));
    }
    practice.assistant.post(PATH, from(&who, "2027-01-15T15:00", "2027-01-15T15:30")).await.expect(201);
    practice.assistant.post(PATH, from(&others, "2027-01-15T14:00", "2027-01-15T15:00")).await.expect(201);
}

#[tokio::test]
async fn bad_times_and_strangers_are_told_by_field() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let who = parties(&practice).await;
    let told = async |body: Value| -> Vec<(String, String)> {
        let answer = practice.assistant.post(PATH, body).await;
        answer.refused(422, "invalid_input");
        let pair =
            |e: &Value| (e["field"].as_str().unwrap().to_owned(), e["code"].as_str().unwrap().to_owned());
        answer.body["errors"].as_array().unwrap().iter().map(pair).collect()
    };
    let pair = |field: &str, code: &str| (field.to_owned(), code.to_owned());
    assert_eq!(
        told(from(&who, "2027-01-15T14:00", "2027-01-15T14:04")).await,
        [pair("ends_at", "wrong_length")]
    );
    assert_eq!(
        told(from(&who, "2027-01-03T14:00", "2027-01-03T15:00")).await,
        [pair("starts_at", "past_time")]
    );
    assert_eq!(
        told(from(&who, "2027-03-28T02:15", "2027-03-28T02:45")).await,
        [pair("starts_at", "skipped_time"), pair("ends_at", "skipped_time")]
    );
    assert_eq!(
        told(from(&who, "2027-10-31T02:15", "2027-10-31T09:00")).await,
        [pair("starts_at", "ambiguous_time")]
    );
    let nobody = json!({ "patient_id": uuid::Uuid::new_v4(), "practitioner_id": uuid::Uuid::new_v4(),
        "room_id": uuid::Uuid::new_v4() });
    assert_eq!(
        told(from(&nobody, "2027-01-15T14:00", "2027-01-15T15:00")).await,
        [
            pair("patient_id", "unknown_patient"),
            pair("practitioner_id", "unknown_practitioner"),
            pair("room_id", "unknown_room")
        ]
    );
}

#[tokio::test]
async fn the_day_is_the_practices_and_the_agenda_the_callers() {
    let api = TestApi::start_at(at("2027-01-04T21:30:00Z")).await;
    let practice = api.practice("Port", Tz::Indian__Reunion).await;
    let doctor = api.member(practice.tenant, "roy@port.example", Role::Practitioner).await;
    let own = json!({ "first_name": "Camille", "last_name": "Roy", "user_id": doctor.user });
    let own = practice.admin.post("/api/v1/practitioners", own).await.expect(201).id();
    let other = practice.practitioner("Benali").await;
    let patient = practice.patient("Hélène", "Garcia").await;
    for (practitioner, hour) in [(&own, 8), (&other, 9), (&own, 23)] {
        let body = json!({ "patient_id": patient, "practitioner_id": practitioner,
            "starts_at": format!("2027-01-05T{hour:02}:00"), "ends_at": format!("2027-01-05T{hour:02}:30") });
        practice.assistant.post(PATH, body).await.expect(201);
    }
    // 21:30 UTC on the 4th is 01:30 on the 5th in La Réunion.
    let all = practice.assistant.get(PATH).await.expect(200).body;
    assert_eq!((&all["date"], &all["time_zone"]), (&json!("2027-01-05"), &json!("Indian/Reunion")));
    let starts: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|a| a["starts_at"].as_str().unwrap()).collect();
    assert_eq!(starts, ["2027-01-05T04:00:00Z", "2027-01-05T05:00:00Z", "2027-01-05T19:00:00Z"]);
    assert_eq!(doctor.get(PATH).await.expect(200).body["items"].as_array().unwrap().len(), 2);
    let named = doctor.get(&format!("{PATH}?practitioner_id={other}")).await.expect(200).body;
    assert_eq!(named["items"].as_array().unwrap().len(), 1);
    let before = practice.assistant.get(&format!("{PATH}?date=2027-01-04")).await.expect(200).body;
    assert_eq!(before["items"], json!([]));
}

#[tokio::test]
async fn times_that_no_calendar_holds_are_refused_and_finer_ones_are_the_same() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let who = parties(&practice).await;
    for date in ["-262143-01-01", "-9000-01-01", "10000-01-01", "1990- 1- 5", "2027-02-30"] {
        practice.assistant.get(&format!("{PATH}?date={date}")).await.refused(422, "invalid_input");
    }
    let far = from(&who, "+262142-12-31T22:00", "+262142-12-31T23:00");
    practice.assistant.post(PATH, far).await.refused(422, "invalid_input");
    let answer = practice.assistant.post(PATH, from(&who, "2037-01-01T10:00", "2037-01-01T10:30")).await;
    assert_eq!(answer.body["errors"][0]["code"], "too_far");
    let query = format!("{PATH}/conflicts?starts_at=2027-01-15T14:30&ends_at=2027-01-15T15:30");
    practice.assistant.get(&query).await.refused(422, "invalid_input");

    let fine = from(&who, "2027-01-15T06:30:00.0000001Z", "2027-01-15T07:00:00.0000001Z");
    let id = practice.assistant.post(PATH, fine.clone()).await.expect(201).id();
    practice.assistant.put(&format!("{PATH}/{id}"), 1, fine).await.expect(200);
    assert_eq!(reminders(&practice, &id).await.len(), 1, "the same time is no move");
}

#[tokio::test]
async fn a_reason_is_given_by_who_books_and_seen_by_who_sees_the_appointment() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let nurse = api.member(practice.tenant, "nurse@lilas.example", Role::Nurse).await;
    let mut body = from(&parties(&practice).await, "2027-01-15T14:30", "2027-01-15T15:00");
    for (wrong, code) in [
        (json!("x".repeat(201)), "not_a_text"),
        (json!(" "), "not_a_text"),
        (json!("a\nb"), "not_a_text"),
        (json!(7), "wrong_type"),
    ] {
        body["reason"] = wrong;
        let refused = practice.assistant.post(PATH, body.clone()).await;
        refused.refused(422, "invalid_input");
        let error = &refused.body["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!("reason"), &json!(code)));
    }
    body["reason"] = json!(" Contrôle annuel ");
    nurse.post(PATH, body.clone()).await.refused(403, "forbidden");
    let booked = practice.assistant.post(PATH, body.clone()).await.expect(201);
    assert_eq!(booked.body["reason"], "Contrôle annuel");
    let path = format!("{PATH}/{}", booked.id());
    assert_eq!(nurse.get(&path).await.expect(200).body["reason"], "Contrôle annuel");
    let day = nurse.get(&format!("{PATH}?date=2027-01-15")).await.expect(200).body;
    assert_eq!(day["items"][0]["reason"], "Contrôle annuel");

    let messages = practice.assistant.get(&format!("{path}/messages")).await.expect(200).body;
    body["reason"] = json!("Vaccin");
    assert_eq!(practice.assistant.put(&path, 1, body.clone()).await.expect(200).body["reason"], "Vaccin");
    let after = practice.assistant.get(&format!("{path}/messages")).await.expect(200).body;
    assert_eq!(after, messages, "another reason is no move");
    body.as_object_mut().unwrap().remove("reason");
    assert_eq!(practice.assistant.put(&path, 2, body).await.expect(200).body["reason"], Value::Null);
}
