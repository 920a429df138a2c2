use std::net::SocketAddr;
use std::time::Duration;

use permanence_domain::notifications::content::calendar::{Calendar, Method};
use permanence_workers::clients::mail::{BrevoMail, MailProvider};
use permanence_workers::clients::sms::{BrevoSms, SmsProvider, TextMessage};
use permanence_workers::clients::smtp::Email;
use permanence_workers::clients::{BrevoSettings, HttpTimeouts, Receipt, SendError};
use serde_json::{Value, json};
use uuid::Uuid;

use super::scripted::Step::{Hang, Request};
use super::scripted::{Scripted, answer, header, nobody};

const KEY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn settings(address: SocketAddr) -> BrevoSettings {
    BrevoSettings {
        endpoint: format!("http://{address}/"),
        api_key: "xkeysib-1".to_owned(),
        timeouts: HttpTimeouts { connect: Duration::from_secs(5), total: Duration::from_millis(500) },
    }
}

fn sms(address: SocketAddr) -> SmsProvider {
    SmsProvider::Brevo(BrevoSms::new(settings(address), "Cabinet".to_owned()).unwrap())
}

fn mail(address: SocketAddr) -> MailProvider {
    MailProvider::Brevo(BrevoMail::new(settings(address), "Permanence <rappels@example.fr>").unwrap())
}

fn message(body: &str) -> TextMessage<'_> {
    let key = Uuid::parse_str(KEY).unwrap();
    TextMessage { to: "+33612345678", sender: None, body, key, valid_for: Duration::from_hours(2) }
}

fn email() -> Email {
    Email {
        to: "lea@example.org".to_owned(),
        to_name: Some("Léa".to_owned()),
        from_name: Some("Cabinet Martin".to_owned()),
        subject: "Rappel\r\nBcc: all@example.org".to_owned(),
        text: "Bonjour".to_owned(),
        html: Some("<p>Bonjour</p>".to_owned()),
        calendar: None,
        message_id: format!("<{KEY}@example.fr>"),
        date: "2026-03-02T13:30:00Z".parse().unwrap(),
        headers: vec![
            ("Reply-To".to_owned(), "accueil@example.org".to_owned()),
            ("List-Unsubscribe".to_owned(), "<https://example.org/u>".to_owned()),
        ],
    }
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn temporary(code: &str, seconds: Option<u64>) -> SendError {
    SendError::Temporary { code: code.to_owned(), retry_after: seconds.map(Duration::from_secs) }
}

fn permanent(code: &str) -> SendError {
    SendError::Permanent { code: code.to_owned() }
}

fn uncertain(code: &str) -> SendError {
    SendError::Uncertain { code: code.to_owned() }
}

#[tokio::test]
async fn a_text_is_sent_with_its_key_as_its_tag() {
    let created = || answer("201 Created", "", r#"{"messageId":1511882900176220}"#);
    let server = Scripted::start(vec![created(), created()]).await;
    let receipt = sms(server.address).send(&message("RDV demain")).await.unwrap();
    assert_eq!(receipt, Receipt { provider: "brevo", message_id: "1511882900176220".to_owned() });
    sms(server.address).send(&message("RDV août")).await.unwrap();
    let heard = server.heard().await;
    assert!(heard[0].starts_with("POST /v3/transactionalSMS/send HTTP/1.1\r\n"), "{}", heard[0]);
    assert_eq!(header(&heard[0], "api-key"), Some("xkeysib-1"));
    let expected = json!({ "sender": "Cabinet", "recipient": "33612345678", "content": "RDV demain",
        "type": "transactional", "tag": KEY, "unicodeEnabled": false });
    assert_eq!(body(&heard[0]), expected);
    assert_eq!(body(&heard[1])["unicodeEnabled"], true, "û is not in GSM-7");
}

#[tokio::test]
async fn a_mail_is_sent_with_its_key_against_a_second_one() {
    let created = answer("201 Created", "", r#"{"messageId":"<202603021330.123@smtp-relay.mailin.fr>"}"#);
    let server = Scripted::start(vec![created]).await;
    let receipt = mail(server.address).send(&email()).await.unwrap();
    let message_id = "202603021330.123@smtp-relay.mailin.fr".to_owned();
    assert_eq!(receipt, Receipt { provider: "brevo", message_id });
    let heard = server.heard().await;
    assert!(heard[0].starts_with("POST /v3/smtp/email HTTP/1.1\r\n"), "{}", heard[0]);
    assert_eq!(
        body(&heard[0]),
        json!({
            "sender": { "email": "rappels@example.fr", "name": "Cabinet Martin" },
            "to": [{ "email": "lea@example.org", "name": "Léa" }],
            "replyTo": { "email": "accueil@example.org" },
            "subject": "Rappel  Bcc: all@example.org",
            "textContent": "Bonjour",
            "htmlContent": "<p>Bonjour</p>",
            "headers": {
                "idempotencyKey": KEY,
                "Auto-Submitted": "auto-generated",
                "List-Unsubscribe": "<https://example.org/u>",
            },
            "tags": [KEY],
        })
    );
}

#[tokio::test]
async fn an_appointment_goes_as_a_file() {
    let created = answer("201 Created", "", r#"{"messageId":"<1@smtp-relay.mailin.fr>"}"#);
    let server = Scripted::start(vec![created]).await;
    let entry = Calendar { method: Method::Request, ics: "BEGIN:VCALENDAR\r\n".to_owned() };
    mail(server.address).send(&Email { calendar: Some(entry), ..email() }).await.unwrap();
    let heard = server.heard().await;
    let expected = json!([{ "content": "QkVHSU46VkNBTEVOREFSDQo=", "name": "invite.ics" }]);
    assert_eq!(body(&heard[0])["attachment"], expected);
}

#[tokio::test]
async fn an_answer_decides_the_fate_of_both_kinds() {
    let refusal = |code: &str, message: &str| json!({ "code": code, "message": message }).to_string();
    for (status, headers, body, expected) in [
        (
            "400 Bad Request",
            "",
            refusal("invalid_parameter", "Invalid telephone number"),
            permanent("brevo_invalid_parameter"),
        ),
        (
            "400 Bad Request",
            "",
            refusal("invalid_parameter", "Sender is invalid"),
            temporary("brevo_sender_refused", None),
        ),
        ("400 Bad Request", "", refusal("about +33612345678", ""), permanent("brevo_http_400")),
        ("400 Bad Request", "", refusal("duplicate_parameter", "used"), uncertain("brevo_duplicate")),
        (
            "401 Unauthorized",
            "",
            refusal("unauthorized", "Key not found"),
            temporary("brevo_unauthorized", None),
        ),
        (
            "402 Payment Required",
            "",
            refusal("not_enough_credits", ""),
            temporary("brevo_not_enough_credits", None),
        ),
        ("429 Too Many Requests", "Retry-After: 3\r\n", String::new(), temporary("brevo_http_429", Some(3))),
        ("503 Service Unavailable", "", String::new(), temporary("brevo_http_503", None)),
        ("500 Internal Server Error", "", refusal("internal_error", ""), uncertain("brevo_http_500")),
        ("201 Created", "", "{}".to_owned(), uncertain("brevo_unreadable_answer")),
    ] {
        let answers = || answer(status, headers, &body);
        let server = Scripted::start(vec![answers(), answers()]).await;
        assert_eq!(sms(server.address).send(&message("RDV")).await, Err(expected.clone()), "{status} {body}");
        assert_eq!(mail(server.address).send(&email()).await, Err(expected), "{status} {body}");
        server.heard().await;
    }
}

#[tokio::test]
async fn what_was_sent_and_not_answered_is_uncertain_and_what_was_not_sent_is_not() {
    let server = Scripted::start(vec![vec![Request], vec![Request, Hang]]).await;
    assert_eq!(sms(server.address).send(&message("RDV")).await, Err(uncertain("broken_after_request")));
    assert_eq!(mail(server.address).send(&email()).await, Err(uncertain("timeout_after_request")));
    server.heard().await;
    assert_eq!(sms(nobody().await).send(&message("RDV")).await, Err(temporary("connect_refused", None)));
    let wrong = Email { to: "lea".to_owned(), ..email() };
    assert_eq!(mail(nobody().await).send(&wrong).await, Err(permanent("invalid_address")));
    let wrong = Email { message_id: "lea".to_owned(), ..email() };
    assert_eq!(mail(nobody().await).send(&wrong).await, Err(permanent("invalid_message_id")));
}

#[test]
fn shows_no_credential() {
    let shown = format!("{:?} {:?}", sms(([127, 0, 0, 1], 1).into()), mail(([127, 0, 0, 1], 1).into()));
    assert!(shown.contains("127.0.0.1") && !shown.contains("xkeysib"), "{shown}");
}
