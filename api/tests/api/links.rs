//! The links of messages: a patient confirms, cancels, stops mails, without signing in and never by looking alone.

use chrono_tz::Tz;
use permanence_domain::{
    config::Secret,
    db::Actor,
    identity::TokenHashes,
    ids::{MessageId, TenantId},
    notifications::{Links, MessageStart, Purpose, begin_message, purge_links},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Practice, TestApi, at};

const PATH: &str = "/api/v1/appointments";

/// Where the links of a message lead, as paths: to the appointment, and to where mails are stopped.
type Mailed = (Option<String>, Option<String>);

/// Sessions outlive what a link goes through.
async fn start() -> TestApi {
    let long = [("JWT_ACCESS_TTL", "90d"), ("JWT_REFRESH_TTL", "90d"), ("SESSION_IDLE_TIMEOUT", "90d")];
    TestApi::start_with(at("2027-01-04T08:00:00Z"), &long).await
}

/// Does what the worker does with the newest message of a purpose that waits.
async fn mailed(api: &TestApi, tenant: TenantId, purpose: Purpose) -> Mailed {
    let hashes = TokenHashes::new(Secret::new("r".repeat(32)));
    let links = Links::new("https://app.example.fr/soins/?a#b".parse().unwrap(), hashes);
    let mut tx = api.db.tenant(tenant, Actor::JOB).await.unwrap();
    let id: uuid::Uuid = sqlx::query_scalar(
        "SELECT id FROM messages WHERE status = 'planned' AND purpose = $1 ORDER BY id DESC LIMIT 1",
    )
    .bind(purpose.name())
    .fetch_one(tx.conn())
    .await
    .unwrap();
    let start = begin_message(&mut tx, MessageId(id), true, &links).await.unwrap();
    let MessageStart::Send(first) = start else { panic!("{start:?}") };
    // Whoever asks for it later finds the words that left.
    let again = begin_message(&mut tx, MessageId(id), true, &links).await.unwrap();
    let MessageStart::Doubtful { message, .. } = again else { panic!("{again:?}") };
    assert_eq!(message.facts.manage_url, first.facts.manage_url);
    assert_eq!(message.facts.unsubscribe_url, first.facts.unsubscribe_url);
    tx.commit().await.unwrap();
    let path = |url: String| url.strip_prefix("https://app.example.fr/soins").unwrap().to_owned();
    (first.facts.manage_url.map(path), first.facts.unsubscribe_url.map(path))
}

struct Page {
    status: StatusCode,
    words: String,
    location: Option<String>,
}

/// A browser's answer, which goes where it is sent.
async fn post(api: &TestApi, path: &str, form: &str) -> Page {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let request = client.build().unwrap().post(format!("{}{path}", api.base));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form.to_owned()).send().await.unwrap();
    let location = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
    Page { status: answer.status(), location, words: answer.text().await.unwrap() }
}

async fn look(api: &TestApi, path: &str) -> Page {
    let answer = api.get(path).await;
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex"),
        ("cache-control", "no-store"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    assert!(answer.header("content-security-policy").contains("form-action 'self'"));
    let words = answer.body.as_str().unwrap().to_owned();
    assert!(words.contains("content=\"noindex\"") && !words.contains("<script"), "{words}");
    Page { status: answer.status, words, location: None }
}

async fn decide(api: &TestApi, path: &str, form: &str) {
    let done = post(api, path, form).await;
    assert_eq!((done.status, done.words.as_str()), (StatusCode::SEE_OTHER, ""));
    // Relative, so that it holds under any path: the page itself.
    assert_eq!(done.location.as_deref(), path.strip_prefix("/r/"));
}

async fn booked(practice: &Practice<'_>, consents: Value) -> (Value, String) {
    let mut patient = crate::support::patient("Hélène", "Garcia");
    patient["email"] = json!("h@garcia.example");
    patient["consents"] = consents;
    let patient = practice.assistant.post("/api/v1/patients", patient).await.expect(201).id();
    let doctor = json!({ "first_name": "Camille", "last_name": "Roy", "specialty": "Psychiatrie" });
    let doctor = practice.admin.post("/api/v1/practitioners", doctor).await.expect(201).id();
    let body = json!({ "patient_id": patient, "practitioner_id": doctor,
        "starts_at": "2027-01-15T14:30", "ends_at": "2027-01-15T15:00", "reason": "Angoisses" });
    let id = practice.assistant.post(PATH, body.clone()).await.expect(201).id();
    (body, id)
}

async fn trail(api: &TestApi, action: &str) -> Vec<(Option<uuid::Uuid>, Option<uuid::Uuid>)> {
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    sqlx::query_as("SELECT actor_id, actor_patient_id FROM audit_log WHERE action = $1 ORDER BY id")
        .bind(action)
        .fetch_all(tx.conn())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_patient_confirms_and_a_move_takes_it_away_with_the_link() {
    let api = start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let (body, id) = booked(&practice, json!({ "reminder_email": true })).await;
    let (link, _) = mailed(&api, practice.tenant, Purpose::Confirmation).await;
    let (reminded, _) = mailed(&api, practice.tenant, Purpose::Reminder).await;
    assert_eq!(link, reminded, "one link for one move");
    let link = link.unwrap();
    assert_eq!(link.len(), "/r/".len() + 16);

    let path = format!("{PATH}/{id}");
    for _ in 0..2 {
        let page = look(&api, &link).await;
        assert_eq!(page.status, StatusCode::OK);
        for told in
            ["vendredi 15 janvier 2027 à 14\u{a0}h\u{a0}30", "Lilas", "01 40 00 00 10", "Confirmer ma venue"]
        {
            assert!(page.words.contains(told), "{told}: {}", page.words);
        }
        for secret in ["Angoisses", "Psychiatrie", "Roy", "Garcia", "Hélène", "garcia.example"] {
            assert!(!page.words.contains(secret), "{secret}: {}", page.words);
        }
    }
    let untouched = practice.assistant.get(&path).await.expect(200).body;
    assert_eq!((&untouched["confirmed_at"], &untouched["version"]), (&Value::Null, &json!(1)));

    assert_eq!(post(&api, &link, "answer=maybe").await.status, StatusCode::BAD_REQUEST);
    api.clock.set(at("2027-01-04T09:00:00Z"));
    for _ in 0..2 {
        decide(&api, &link, "answer=confirm").await;
        assert!(look(&api, &link).await.words.contains("Vous avez confirmé votre venue."));
    }
    let confirmed = practice.assistant.get(&path).await.expect(200).body;
    assert_eq!(
        (&confirmed["confirmed_at"], &confirmed["version"]),
        (&json!("2027-01-04T09:00:00Z"), &json!(2))
    );
    let day = practice.assistant.get(&format!("{PATH}?date=2027-01-15")).await.expect(200).body;
    assert_eq!(day["items"][0]["confirmed_at"], "2027-01-04T09:00:00Z");
    let by = body["patient_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(trail(&api, "appointment.confirm").await, [(None, Some(by))], "once, and by whom");

    let mut longer = body.clone();
    longer["ends_at"] = json!("2027-01-15T15:30");
    let longer = practice.assistant.put(&path, 2, longer).await.expect(200).body;
    assert_eq!(longer["confirmed_at"], "2027-01-04T09:00:00Z", "it begins when it was to begin");
    let mut moved = body.clone();
    (moved["starts_at"], moved["ends_at"]) = (json!("2027-01-16T09:00"), json!("2027-01-16T09:30"));
    let moved = practice.assistant.put(&path, 3, moved).await.expect(200).body;
    assert_eq!(moved["confirmed_at"], Value::Null);
    let dead = look(&api, &link).await;
    assert_eq!(dead.status, StatusCode::GONE);
    assert!(dead.words.contains("Le message le plus récent dit comment.") && !dead.words.contains("janvier"));
    for form in ["answer=confirm", "answer=cancel"] {
        decide(&api, &link, form).await;
    }
    let still = practice.assistant.get(&path).await.expect(200).body;
    assert_eq!((&still["confirmed_at"], &still["status"]), (&Value::Null, &json!("scheduled")));
    let (newer, _) = mailed(&api, practice.tenant, Purpose::Confirmation).await;
    decide(&api, &newer.unwrap(), "answer=confirm").await;
    assert_ne!(practice.assistant.get(&path).await.expect(200).body["confirmed_at"], Value::Null);
}

#[tokio::test]
async fn a_patient_cancels_once_and_is_told_as_by_the_practice() {
    let api = start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let (body, id) = booked(&practice, json!({ "reminder_sms": true })).await;
    let (link, unsubscribe) = mailed(&api, practice.tenant, Purpose::Reminder).await;
    assert_eq!(unsubscribe, None, "an SMS has no such link");
    let link = link.unwrap();
    for _ in 0..2 {
        decide(&api, &link, "answer=cancel").await;
        let page = look(&api, &link).await;
        assert_eq!(page.status, StatusCode::OK, "kindly");
        let told = "Votre rendez-vous du vendredi 15 janvier 2027 à 14\u{a0}h\u{a0}30 est annulé.";
        assert!(page.words.contains(told), "{}", page.words);
    }
    decide(&api, &link, "answer=confirm").await;
    let path = format!("{PATH}/{id}");
    let cancelled = practice.assistant.get(&path).await.expect(200).body;
    assert_eq!((&cancelled["status"], &cancelled["version"]), (&json!("cancelled"), &json!(2)));
    let by = body["patient_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(trail(&api, "appointment.cancel").await, [(None, Some(by))]);
    let messages = practice.assistant.get(&format!("{path}/messages")).await.expect(200).body;
    assert_eq!(messages[0]["purpose"], "cancellation");
    let (none, _) = mailed(&api, practice.tenant, Purpose::Cancellation).await;
    assert_eq!(none, None, "nothing is left to manage");
    practice.assistant.post(PATH, body).await.expect(201);
    assert!(
        look(&api, &link).await.words.contains("est annulé."),
        "another appointment is none of its business"
    );
}

#[tokio::test]
async fn the_practice_cancels_too_and_its_limit_holds() {
    let api = start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let settings = json!({ "time_zone": "Europe/Paris", "cancellation_notice_minutes": 1440 });
    practice.admin.put("/api/v1/settings", 1, settings).await.expect(200);
    let (_, id) = booked(&practice, json!({ "reminder_sms": true })).await;
    let (link, _) = mailed(&api, practice.tenant, Purpose::Reminder).await;
    let link = link.unwrap();
    api.clock.set(at("2027-01-14T13:30:00Z"));
    assert!(look(&api, &link).await.words.contains("Oui, l’annuler"), "a day before to the second");
    api.clock.set(at("2027-01-14T13:30:01Z"));
    decide(&api, &link, "answer=cancel").await;
    let late = look(&api, &link).await;
    assert!(
        late.words.contains("Il est trop tard pour l’annuler ici.") && late.words.contains("tel:0140000010")
    );
    assert!(!late.words.contains("Oui, l’annuler"));
    let path = format!("{PATH}/{id}");
    assert_eq!(practice.assistant.get(&path).await.expect(200).body["status"], "scheduled");
    decide(&api, &link, "answer=confirm").await;

    let off = json!({ "time_zone": "Europe/Paris", "patient_links": false });
    practice.admin.put("/api/v1/settings", 2, off.clone()).await.expect(200);
    assert_eq!(look(&api, &link).await.status, StatusCode::GONE, "no link holds where there are none");
    let on = json!({ "time_zone": "Europe/Paris" });
    practice.admin.put("/api/v1/settings", 3, on).await.expect(200);
    api.clock.set(at("2027-01-15T13:30:00Z"));
    let begun = look(&api, &link).await;
    assert_eq!(begun.status, StatusCode::GONE);
    decide(&api, &link, "answer=cancel").await;
    assert_eq!(practice.assistant.get(&path).await.expect(200).body["status"], "scheduled");
    practice.assistant.delete(&path).await.expect(204);
    assert!(look(&api, &link).await.words.contains("est annulé."));

    // Long after, nothing is known of it any more.
    api.clock.set(at("2027-02-14T13:30:01Z"));
    let mut tx = api.db.system(Actor::JOB).await.unwrap();
    assert_eq!(purge_links(&mut tx, 10).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(look(&api, &link).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_practice_may_do_without_links_and_a_wrong_one_opens_nothing() {
    let api = start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let off = json!({ "time_zone": "Europe/Paris", "patient_links": false });
    practice.admin.put("/api/v1/settings", 1, off).await.expect(200);
    booked(&practice, json!({ "reminder_email": true })).await;
    let (link, stop) = mailed(&api, practice.tenant, Purpose::Confirmation).await;
    assert_eq!(link, None);
    let stop = stop.unwrap().replace("/u/", "/r/");
    for wrong in ["/r/0000000000000000", "/r/x", "/r/%00", "/u/0000000000000000", &stop] {
        let page = look(&api, wrong).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(
            page.words.contains("Ce lien n’est pas valable") && page.words.contains("This link is not valid")
        );
        let form = if wrong.starts_with("/u") { "List-Unsubscribe=One-Click" } else { "answer=cancel" };
        assert_eq!(post(&api, wrong, form).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn one_click_stops_mails_and_what_rests_on_them() {
    let api = start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let settings = json!({ "time_zone": "Europe/Paris", "channels": ["email", "sms"] });
    practice.admin.put("/api/v1/settings", 1, settings).await.expect(200);
    let (body, id) = booked(&practice, json!({ "reminder_email": true, "reminder_sms": true })).await;
    let (_, link) = mailed(&api, practice.tenant, Purpose::Confirmation).await;
    let link = link.unwrap();
    let patient = format!("/api/v1/patients/{}", body["patient_id"].as_str().unwrap());
    let consents = async || practice.assistant.get(&patient).await.expect(200).body["consents"].clone();
    assert!(look(&api, &link).await.words.contains("Ne plus recevoir de mails"));
    assert_eq!(post(&api, &link, "List-Unsubscribe=").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(consents().await["reminder_email"], true, "looking is not answering");

    api.clock.advance(std::time::Duration::from_mins(1));
    for _ in 0..2 {
        let done = post(&api, &link, "List-Unsubscribe=One-Click").await;
        assert_eq!((done.status, done.location), (StatusCode::OK, None), "no redirect: RFC 8058");
        assert!(done.words.contains("Pour en recevoir de nouveau, appelez le"), "{}", done.words);
    }
    assert_eq!(consents().await, json!({ "reminder_sms": true, "reminder_email": false, "imaging": false }));
    let history = practice.assistant.get(&format!("{patient}/consents")).await.expect(200).body;
    assert_eq!(history.as_array().unwrap().len(), 3);
    let newest = &history[0];
    assert_eq!(
        (&newest["purpose"], &newest["granted"], &newest["by_patient"], &newest["recorded_by"]),
        (&json!("reminder_email"), &json!(false), &json!(true), &Value::Null)
    );
    assert_eq!(history[1]["by_patient"], false);
    let by = body["patient_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(trail(&api, "patient.stop_mail").await, [(None, Some(by))]);
    let messages = practice.assistant.get(&format!("{PATH}/{id}/messages")).await.expect(200).body;
    let reminders: Vec<_> =
        messages.as_array().unwrap().iter().filter(|m| m["purpose"] == "reminder").collect();
    let told = |place: usize| (reminders[place]["channel"].clone(), reminders[place]["status"].clone());
    assert_eq!(told(0), (json!("sms"), json!("planned")));
    assert_eq!(told(1), (json!("email"), json!("cancelled")));

    // Another address is agreed to: the old mail's link stops nothing there.
    let mut back = crate::support::patient("Hélène", "Garcia");
    back["email"] = json!("helene@ailleurs.example");
    back["consents"] = json!({ "reminder_email": true });
    let version = practice.assistant.get(&patient).await.expect(200).body["version"].as_i64().unwrap();
    practice.assistant.put(&patient, version, back.clone()).await.expect(200);
    assert!(look(&api, &link).await.words.contains("Plus aucun mail du cabinet"));
    post(&api, &link, "List-Unsubscribe=One-Click").await;
    assert_eq!(consents().await["reminder_email"], true);
    // The old address is agreed to again: its link is good again, in the patient's language.
    (back["email"], back["language"]) = (json!("h@garcia.example"), json!("en"));
    practice.assistant.put(&patient, version + 1, back).await.expect(200);
    assert!(look(&api, &link).await.words.contains("Stop these mails?"));
}
