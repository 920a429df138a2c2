//! The words of messages: standard until a practice chooses its own, checked whole, kept version by version.

use chrono_tz::Tz;
use permanence_domain::{
    db::Actor,
    field::Language,
    identity::Role,
    notifications::{Channel, Purpose, templates},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApi, at};

const LIST: &str = "/api/v1/message-templates";
const SMS: &str = "/api/v1/message-templates/reminder/sms/fr";
const MAIL: &str = "/api/v1/message-templates/confirmation/email/en";
const PREVIEW: &str = "/api/v1/message-templates/preview";

fn told(answer: &Answer) -> Vec<String> {
    answer.refused(422, "invalid_input");
    let errors = answer.body["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| format!("{} {}", error["field"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_practice_begins_with_the_standard_words() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let all = practice.assistant.get(LIST).await.expect(200).body;
    let all = all["items"].as_array().unwrap();
    assert_eq!(all.len(), 12);
    let first = json!({ "purpose": "reminder", "channel": "sms", "language": "fr", "own": false, "version": 0,
                        "updated_at": null });
    assert_eq!(all[0], first);
    for item in all {
        let part = |name: &str| item[name].as_str().unwrap();
        let path = format!("{LIST}/{}/{}/{}", part("purpose"), part("channel"), part("language"));
        let answer = practice.assistant.get(&path).await.expect(200);
        assert_eq!(answer.header("etag"), "\"0\"");
        let one = answer.body;
        assert_eq!((&one["own"], &one["history"]), (&json!(false), &json!([])));
        assert_eq!((&one["body"], &one["subject"]), (&one["standard"]["body"], &one["standard"]["subject"]));
        assert_eq!(one["subject"].is_string(), part("channel") == "email");
        // Nothing is disclosed, so nothing may be named.
        assert!(!one.to_string().contains("specialty") && !one.to_string().contains("reason"), "{one}");
        // What is shown is what passes, and what is sent.
        let words = json!({ "subject": one["subject"], "body": one["body"] });
        practice.admin.put(&path, 0, words).await.expect(200);
    }
    for wrong in ["reminder/sms/de", "reminder/fax/fr", "advert/sms/fr"] {
        practice.admin.get(&format!("{LIST}/{wrong}")).await.refused(404, "not_found");
    }
    practice.admin.get(&format!("{LIST}/reminder/sms")).await.refused(404, "unknown_route");
}

#[tokio::test]
async fn own_words_come_into_force_version_by_version_and_go_again() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let other = api.practice("Port", Tz::Indian__Reunion).await;
    let words = |body: &str| json!({ "body": body });
    let first = practice.admin.put(SMS, 0, words("  A demain,\r\n{{ time }}.  ")).await.expect(200);
    assert_eq!(first.header("etag"), "\"1\"");
    assert_eq!(
        (&first.body["own"], &first.body["body"], &first.body["transliterate"]),
        (&json!(true), &json!("A demain,\n{{ time }}."), &json!(false))
    );
    practice.admin.put(SMS, 0, words("b")).await.refused(409, "version_conflict");
    practice.admin.put(SMS, 2, words("b")).await.refused(409, "version_conflict");
    api.clock.set(at("2027-01-04T08:10:00Z"));
    let second = json!({ "body": "Fête : {{ date }}", "transliterate": true });
    let second = practice.admin.put(SMS, 1, second).await.expect(200).body;
    assert_eq!(second["history"].as_array().unwrap().len(), 2);
    assert_eq!(second["history"][1]["body"], "A demain,\n{{ time }}.");
    assert_eq!(second["history"][0]["created_at"], "2027-01-04T08:10:00Z");
    assert_eq!(second["history"][0]["created_by"], json!(practice.admin.user));
    let listed = practice.assistant.get(LIST).await.body["items"][0].clone();
    assert_eq!((&listed["own"], &listed["version"]), (&json!(true), &json!(2)));

    // Whoever sends finds them, one by one or at once; another practice has its own.
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    let (purpose, channel, language) = (Purpose::Reminder, Channel::Sms, Language::Fr);
    let found = templates::in_force(&mut tx, purpose, channel, language).await.unwrap().unwrap();
    assert_eq!((found.version, found.body.as_str(), found.transliterate), (2, "Fête : {{ date }}", true));
    let all = templates::all_in_force(&mut tx).await.unwrap();
    assert_eq!(all.get(purpose, channel, language), Some(&found));
    assert_eq!(all.get(purpose, channel, Language::En), None);
    assert_eq!(all.get(Purpose::Confirmation, channel, language), None);
    assert_eq!(templates::in_force(&mut tx, purpose, Channel::Email, language).await.unwrap(), None);
    let changed = sqlx::query("UPDATE message_templates SET body = 'x'").execute(tx.conn()).await;
    assert!(changed.unwrap_err().to_string().contains("permission denied"), "a version is never changed");
    let strange = other.admin.get(SMS).await.expect(200).body;
    assert_eq!((&strange["own"], &strange["history"]), (&json!(false), &json!([])));

    for _ in 0..2 {
        practice.admin.delete(SMS).await.expect(204);
    }
    let back = practice.assistant.get(SMS).await.expect(200).body;
    assert_eq!((&back["own"], &back["version"]), (&json!(false), &json!(3)), "twice is the same as once");
    assert_eq!((&back["body"], &back["history"][0]["body"]), (&back["standard"]["body"], &Value::Null));
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    assert_eq!(templates::in_force(&mut tx, purpose, channel, language).await.unwrap(), None);
    assert_eq!(templates::all_in_force(&mut tx).await.unwrap().get(purpose, channel, language), None);
    let noted: Vec<String> = sqlx::query_scalar(
        "SELECT action FROM audit_log WHERE resource = 'message_template' ORDER BY at, id",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    assert_eq!(noted, ["message_template.update", "message_template.update", "message_template.reset"]);
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_refused() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let (one, two) = tokio::join!(
        practice.admin.put(SMS, 0, json!({ "body": "a" })),
        practice.admin.put(SMS, 0, json!({ "body": "b" })),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn only_whoever_runs_the_practice_changes_its_words() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let doctor = api.member(practice.tenant, "roy@lilas.example", Role::Practitioner).await;
    for member in [&doctor, &practice.assistant] {
        member.put(SMS, 0, json!({ "body": "x" })).await.refused(403, "forbidden");
        member.delete(SMS).await.refused(403, "forbidden");
        member.get(SMS).await.expect(200);
    }
    practice
        .admin
        .send(Method::PUT, SMS, &[], Some(json!({ "body": "x" })))
        .await
        .refused(428, "if_match_missing");
    let operator = api.operator().await;
    operator.get(LIST).await.refused(403, "forbidden");
    api.get(LIST).await.refused(401, "missing_token");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_when_saved_and_when_tried() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let wrong = json!({
        "subject": "{{ reason }}\nBcc: x@example.fr",
        "body": "Bonjour {{ patient_name }},\n{% for x in date %}\n{{ specialty }}\n{% if time %}",
        "transliterate": true,
    });
    let expected = [
        "transliterate not_for_email",
        "subject not_one_line",
        "subject not_disclosed",
        "body unknown_placeholder",
        "body unsupported_tag",
        "body not_disclosed",
        "body template_syntax",
    ];
    let saved = practice.admin.put(MAIL, 0, wrong.clone()).await;
    assert_eq!(told(&saved), expected);
    let unknown = &saved.body["errors"][3];
    assert_eq!(unknown["read"], "patient_name");
    assert!(
        unknown["expected"].as_str().unwrap().starts_with("on line 1: one of practice_name, "),
        "{unknown}"
    );
    let syntax = saved.body["errors"][6]["expected"].as_str().unwrap();
    assert!(syntax.starts_with("line 4: "), "{syntax}");
    let mut tried = wrong;
    tried["purpose"] = json!("confirmation");
    tried["channel"] = json!("email");
    tried["language"] = json!("en");
    let key = [("idempotency-key", "may-be-given")];
    let tried = practice.assistant.send(Method::POST, PREVIEW, &key, Some(tried)).await;
    assert_eq!(told(&tried), expected);
    assert_eq!(practice.admin.get(MAIL).await.body["version"], 0, "nothing was kept");
    let shapes = json!({ "purpose": "advert", "channel": "fax", "body": 1, "bodies": [] });
    let mut shapes = told(&practice.admin.send(Method::POST, PREVIEW, &[], Some(shapes)).await);
    shapes.sort_unstable();
    assert_eq!(
        shapes,
        [
            "bodies unknown_field",
            "body wrong_type",
            "channel unknown_value",
            "language missing",
            "purpose unknown_value"
        ]
    );
}

#[tokio::test]
async fn what_the_settings_disclose_may_be_named_and_no_longer_when_they_do_not() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let words = json!({ "body": "RDV {{ date }}{% if specialty %}, {{ specialty }}{% endif %}" });
    assert_eq!(
        told(&practice.admin.put(SMS, 0, words.clone()).await),
        ["body not_disclosed", "body not_disclosed"]
    );
    let open = json!({ "time_zone": "Europe/Paris", "disclose_specialty": true });
    practice.admin.put("/api/v1/settings", 1, open).await.expect(200);
    let one = practice.admin.put(SMS, 0, words.clone()).await.expect(200).body;
    assert!(one["placeholders"].to_string().contains("specialty") && !one.to_string().contains("reason"));
    let unguarded = json!({ "body": "RDV {{ date }}, {{ specialty }}" });
    assert_eq!(told(&practice.admin.put(SMS, 1, unguarded).await), ["body unguarded_placeholder"]);
    practice.admin.put("/api/v1/settings", 2, json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    assert_eq!(told(&practice.admin.put(SMS, 1, words).await), ["body not_disclosed", "body not_disclosed"]);
}

#[tokio::test]
async fn a_preview_of_an_sms_tells_its_price() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let tried = async |body: &str, transliterate: bool| {
        let words = json!({ "purpose": "reminder", "channel": "sms", "language": "fr", "body": body,
                            "transliterate": transliterate });
        practice.assistant.send(Method::POST, PREVIEW, &[], Some(words)).await
    };
    assert_eq!(
        tried("RDV {{ weekday }} {{ date }} à {{ time }}, {{ practice_name }} : 5 €", false)
            .await
            .expect(200)
            .body,
        json!({ "text": "RDV mercredi 22 septembre à 14h30, Lilas : 5 €", "coding": "gsm7", "characters": 47,
                "segments": 1, "forcing": [] })
    );
    assert_eq!(
        tried("Fête, ça ira… êtes {{ patient_first_name }} ?", false).await.expect(200).body,
        json!({ "text": "Fête, ça ira… êtes Camille ?", "coding": "ucs2", "characters": 28, "segments": 1,
                "forcing": ["ê", "ç", "…"] })
    );
    let folded = tried("Fête, ça ira… êtes {{ patient_first_name }} ?", true).await.expect(200).body;
    assert_eq!(
        (&folded["text"], &folded["coding"]),
        (&json!("Fete, ca ira... etes Camille ?"), &json!("gsm7"))
    );
    assert_eq!(told(&tried(&"é".repeat(919), false).await), ["body too_many_segments"]);
    assert_eq!(practice.admin.get(SMS).await.body["version"], 0, "nothing was kept");
}

#[tokio::test]
async fn a_preview_of_a_mail_shows_both_its_parts() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Indian__Reunion).await;
    let words = json!({
        "purpose": "reminder", "channel": "email", "language": "fr", "subject": "<{{ practice_name }}>",
        "body": "Bonjour <b>,\n\n> {{ time }}\n\n{{ manage_url }}\n\n{{ practice_phone }}",
    });
    let mail = practice.assistant.send(Method::POST, PREVIEW, &[], Some(words)).await.expect(200).body;
    assert_eq!(mail["subject"], "<Lilas>");
    assert_eq!(
        mail["text"],
        "Bonjour <b>,\n\n16 h 30\n\nConfirmer ou annuler :\nhttps://rdv.example.fr/r/7Gk2Qx9bT4mWc3Zn\n\n01 40 00 00 10\n"
    );
    let html = mail["html"].as_str().unwrap();
    for part in [
        "&lt;Lilas&gt;",
        "Bonjour &lt;b&gt;,",
        ">16\u{a0}h\u{a0}30<",
        ">Confirmer ou annuler</a>",
        "tel:0140000010",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
}
