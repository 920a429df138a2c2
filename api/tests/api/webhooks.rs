//! Reports of providers over real HTTP: theirs are recorded once, anybody else's are refused.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono_tz::Tz;
use hmac::{Hmac, KeyInit, Mac};
use permanence_domain::db::Actor;
use permanence_embedded::{
    outbox::Outbox,
    sms::{BrevoWebhook, ReportFault, SmsCredentials, SmsServer},
};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::support::{BREVO_SECRET, LOCAL, Practice, TestApi, at};

/// A practice with a reminder that a provider took under this name; gives the appointment.
async fn sent(practice: &Practice<'_>, api: &TestApi, provider: &str, message_id: &str) -> String {
    let patient = practice.patient("Hélène", "Garcia").await;
    let practitioner = practice.practitioner("Roy").await;
    let appointment = practice.booked(&patient, &practitioner, "2027-01-15T09:00", "2027-01-15T09:30").await;
    let mut tx = api.db.tenant(practice.tenant, Actor::JOB).await.unwrap();
    sqlx::query(
        "WITH sent AS (
             UPDATE messages SET status = 'sent', sent_at = now() WHERE appointment_id = $1::uuid RETURNING tenant_id, id
         )
         INSERT INTO message_events (tenant_id, message_id, at, event, provider, provider_message_id)
         SELECT tenant_id, id, now(), 'sent', $2, $3 FROM sent",
    )
    .bind(&appointment)
    .bind(provider)
    .bind(message_id)
    .execute(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
    appointment
}

/// What the log of the appointment's reminder holds after `sent`.
async fn reported(practice: &Practice<'_>, appointment: &str) -> Vec<(String, Value)> {
    let path = format!("/api/v1/appointments/{appointment}/messages");
    let log = practice.assistant.get(&path).await.expect(200).body;
    let events = log[0]["events"].as_array().unwrap().clone();
    let after = events.into_iter().skip_while(|event| event["event"] != "sent").skip(1);
    after.map(|event| (event["event"].as_str().unwrap().to_owned(), event["code"].clone())).collect()
}

fn delivered() -> (String, Value) {
    ("delivered".to_owned(), Value::Null)
}

fn undelivered(code: &str) -> (String, Value) {
    ("undelivered".to_owned(), json!(code))
}

/// Signs as the provider's guide says.
fn signature(token: &str, url: &str, form: &[(&str, &str)]) -> String {
    let mut sorted = form.to_vec();
    sorted.sort_unstable();
    let text = sorted.into_iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap().chain_update(text);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

fn twilio(api: &TestApi, form: &[(&str, &str)]) -> RequestBuilder {
    let url = format!("{}/api/v1/webhooks/twilio", api.base);
    let signed = signature(&SmsCredentials::default().twilio_auth_token, &url, form);
    api.http.post(url).header("x-twilio-signature", signed).form(form)
}

fn brevo(api: &TestApi, body: &Value) -> RequestBuilder {
    api.http.post(format!("{}/api/v1/webhooks/brevo", api.base)).bearer_auth(BREVO_SECRET).json(body)
}

async fn status(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json::<Value>().await.map_or(Value::Null, |body| body["code"].clone()))
}

const TAKEN: (u16, Value) = (204, Value::Null);

#[tokio::test]
async fn a_signed_report_is_in_the_log_once() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let appointment = sent(&practice, &api, "twilio", "SM42").await;
    let form = [("MessageSid", "SM42"), ("MessageStatus", "delivered"), ("To", "+33600000001")];
    let (one, two) = tokio::join!(status(twilio(&api, &form)), status(twilio(&api, &form)));
    assert_eq!((one, two), (TAKEN, TAKEN), "at once");
    assert_eq!(status(twilio(&api, &form)).await, TAKEN, "and again");
    assert_eq!(reported(&practice, &appointment).await, [delivered()]);
    let pending = [("MessageSid", "SM42"), ("MessageStatus", "sent")];
    assert_eq!(status(twilio(&api, &pending)).await, TAKEN);
    let failed = [("MessageSid", "SM42"), ("MessageStatus", "undelivered"), ("ErrorCode", "30005")];
    assert_eq!(status(twilio(&api, &failed)).await, TAKEN);
    assert_eq!(reported(&practice, &appointment).await, [delivered(), undelivered("twilio_30005")]);
}

#[tokio::test]
async fn a_report_that_nobody_signed_changes_nothing() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let appointment = sent(&practice, &api, "twilio", "SM42").await;
    let url = format!("{}/api/v1/webhooks/twilio", api.base);
    let form = [("MessageSid", "SM42"), ("MessageStatus", "delivered")];
    let other = [("MessageSid", "SM42"), ("MessageStatus", "failed")];
    let token = SmsCredentials::default().twilio_auth_token;
    for wrong in [
        String::new(),
        "no base64".to_owned(),
        signature("another token", &url, &form),
        signature(&token, &url, &other),
        signature(&token, "https://elsewhere.example/api/v1/webhooks/twilio", &form),
    ] {
        let request = api.http.post(&url).header("x-twilio-signature", &wrong).form(&form);
        assert_eq!(status(request).await, (403, json!("wrong_signature")), "{wrong}");
    }
    assert_eq!(status(api.http.post(&url).form(&form)).await, (403, json!("wrong_signature")));
    let body = json!({ "event": "delivered", "message-id": "<a@b>" });
    let brevo = format!("{}/api/v1/webhooks/brevo", api.base);
    for request in [api.http.post(&brevo), api.http.post(&brevo).bearer_auth("another secret of brevo's")] {
        assert_eq!(status(request.json(&body)).await, (403, json!("wrong_signature")));
    }
    assert_eq!(reported(&practice, &appointment).await, []);
}

#[tokio::test]
async fn a_report_reaches_the_practice_whose_message_it_is() {
    let api = TestApi::start().await;
    let lilas = api.practice("Lilas", Tz::Europe__Paris).await;
    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    let mine = sent(&lilas, &api, "brevo", "202701040800.7@smtp-relay.mailin.fr").await;
    // Another provider's message of the same name is another message.
    let other = sent(&roses, &api, "ovh", "202701040800.7@smtp-relay.mailin.fr").await;
    let id = "<202701040800.7@smtp-relay.mailin.fr>";
    let events = json!([
        { "event": "soft_bounce", "message-id": id, "ts_event": 1_799_000_000, "reason": "mailbox of lea@x full" },
        { "event": "opened", "message-id": id },
        { "event": "delivered", "message-id": id },
    ]);
    assert_eq!(status(brevo(&api, &events)).await, TAKEN);
    assert_eq!(reported(&lilas, &mine).await, [undelivered("brevo_soft_bounce"), delivered()]);
    assert_eq!(reported(&roses, &other).await, []);
}

#[tokio::test]
async fn what_is_not_ours_is_taken_and_what_is_no_report_is_refused() {
    let api = TestApi::start().await;
    let strangers: Vec<Value> =
        (0..50).map(|id| json!({ "messageId": id, "msg_status": "delivered" })).collect();
    assert_eq!(status(brevo(&api, &json!(strangers))).await, TAKEN);
    assert_eq!(status(brevo(&api, &json!("delivered"))).await, (400, json!("malformed_report")));
    assert_eq!(status(twilio(&api, &[("Hello", "world")])).await, (400, json!("malformed_report")));
    assert_eq!(
        status(twilio(&api, &[("Hello", &"x".repeat(300_000))])).await,
        (413, json!("body_too_large"))
    );
}

#[tokio::test]
async fn a_provider_that_is_not_set_up_has_no_webhook() {
    let without = [("TWILIO_AUTH_TOKEN", ""), ("BREVO_WEBHOOK_SECRET", "")];
    let api = TestApi::start_with(at("2027-01-04T08:00:00Z"), &without).await;
    for provider in ["twilio", "brevo", "ovh", "smtp"] {
        let path = format!("/api/v1/webhooks/{provider}");
        api.post(&path, json!({})).await.refused(404, "unknown_route");
    }
    api.get("/api/v1/webhooks/twilio").await.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn the_providers_own_calls_are_understood() {
    let api = TestApi::start().await;
    let practice = api.practice("Lilas", Tz::Europe__Paris).await;
    let server = SmsServer::start(LOCAL, Outbox::in_memory()).await.unwrap();
    let url = format!("{}/api/v1/webhooks/brevo", api.base);
    server.call_back(BrevoWebhook { url, token: BREVO_SECRET.to_owned() });
    let answered = async |count: usize| {
        let answers = async {
            while server.report_answers().len() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), answers).await.expect("reports");
        server.report_answers()
    };

    // The server numbers its messages, and makes Twilio's names of the numbers.
    let first = sent(&practice, &api, "brevo", "1").await;
    server.reports().next(1, ReportFault::Twice);
    let text = json!({ "sender": "Cabinet", "recipient": "33600000001", "content": "À demain",
        "type": "transactional", "unicodeEnabled": true });
    let send = api.http.post(format!("{}/v3/transactionalSMS/send", server.brevo_url())).json(&text);
    let known = server.credentials();
    let key = known.brevo_api_key.clone();
    assert_eq!(send.header("api-key", key).send().await.unwrap().status(), 201);
    assert_eq!(answered(2).await, [204, 204]);
    assert_eq!(reported(&practice, &first).await, [delivered()]);

    let roses = api.practice("Roses", Tz::Europe__Paris).await;
    let digest = Sha1::digest("2/+33600000001");
    let second = sent(&roses, &api, "twilio", &format!("SM{}", hex::encode(&digest[..16]))).await;
    let messages =
        format!("{}/2010-04-01/Accounts/{}/Messages.json", server.twilio_url(), known.twilio_account_sid);
    let callback = format!("{}/api/v1/webhooks/twilio", api.base);
    let form = [
        ("To", "+33600000001"),
        ("From", "Cabinet"),
        ("Body", "À demain"),
        ("StatusCallback", callback.as_str()),
    ];
    server.reports().next(1, ReportFault::Undelivered);
    let send = api.http.post(&messages).form(&form);
    let send = send.basic_auth(&known.twilio_account_sid, Some(&known.twilio_auth_token));
    assert_eq!(send.send().await.unwrap().status(), 201);
    assert_eq!(answered(3).await[2], 204);
    assert_eq!(reported(&roses, &second).await, [undelivered("twilio_30005")]);

    server.reports().next(1, ReportFault::WrongSignature);
    let send = api.http.post(&messages).form(&form);
    let send = send.basic_auth(&known.twilio_account_sid, Some(&known.twilio_auth_token));
    assert_eq!(send.send().await.unwrap().status(), 201);
    assert_eq!(answered(4).await[3], 403);
}
