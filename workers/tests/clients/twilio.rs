use std::net::SocketAddr;
use std::time::Duration;

use permanence_workers::clients::sms::{SmsProvider, TextMessage, Twilio, TwilioSender, TwilioSettings};
use permanence_workers::clients::{HttpTimeouts, Receipt, SendError};
use uuid::Uuid;

use super::scripted::{Scripted, answer, header, nobody};

fn settings(address: SocketAddr, sender: TwilioSender) -> TwilioSettings {
    TwilioSettings {
        endpoint: format!("http://{address}"),
        account_sid: "AC123".to_owned(),
        auth_token: "token".to_owned(),
        sender,
        status_callback: None,
        timeouts: HttpTimeouts::default(),
    }
}

fn provider(address: SocketAddr, sender: TwilioSender) -> SmsProvider {
    SmsProvider::Twilio(Twilio::new(settings(address, sender)).unwrap())
}

fn message() -> TextMessage<'static> {
    TextMessage {
        to: "+33612345678",
        sender: None,
        body: "Rendez-vous à 14h & 15h",
        key: Uuid::nil(),
        valid_for: Duration::from_hours(24),
    }
}

fn from() -> TwilioSender {
    TwilioSender::From("+33700000000".to_owned())
}

#[tokio::test]
async fn a_created_message_gives_its_sid() {
    let created = || answer("201 Created", "", r#"{"sid":"SM42","status":"queued","error_code":null}"#);
    let server = Scripted::start(vec![created(), created()]).await;
    let receipt = provider(server.address, from()).send(&message()).await.unwrap();
    assert_eq!(receipt, Receipt { provider: "twilio", message_id: "SM42".to_owned() });
    let service = TwilioSender::MessagingService("MG7".to_owned());
    assert!(provider(server.address, service).send(&message()).await.is_ok());

    let heard = server.heard().await;
    assert!(
        heard[0].starts_with("POST /2010-04-01/Accounts/AC123/Messages.json HTTP/1.1\r\n"),
        "{}",
        heard[0]
    );
    // "AC123:token" in base64.
    assert_eq!(header(&heard[0], "authorization"), Some("Basic QUMxMjM6dG9rZW4="));
    assert_eq!(header(&heard[0], "content-type"), Some("application/x-www-form-urlencoded"));
    let body = |request: &str| request.split_once("\r\n\r\n").unwrap().1.to_owned();
    let words = "To=%2B33612345678&Body=Rendez-vous+%C3%A0+14h+%26+15h&ValidityPeriod=36000";
    assert_eq!(body(&heard[0]), format!("{words}&From=%2B33700000000"));
    assert_eq!(body(&heard[1]), format!("{words}&MessagingServiceSid=MG7"));
}

#[tokio::test]
async fn reports_are_asked_for_where_they_can_arrive() {
    let server = Scripted::start(vec![answer("201 Created", "", r#"{"sid":"SM42"}"#)]).await;
    let callback = "https://app.example.fr/api/v1/webhooks/twilio".to_owned();
    let settings = TwilioSettings { status_callback: Some(callback), ..settings(server.address, from()) };
    SmsProvider::Twilio(Twilio::new(settings).unwrap()).send(&message()).await.unwrap();
    let heard = server.heard().await;
    let asked = "&StatusCallback=https%3A%2F%2Fapp.example.fr%2Fapi%2Fv1%2Fwebhooks%2Ftwilio";
    assert!(heard[0].ends_with(asked), "{}", heard[0]);
}

#[tokio::test]
async fn an_answer_decides_the_messages_fate() {
    let permanent = |code: &str| SendError::Permanent { code: code.to_owned() };
    let uncertain = |code: &str| SendError::Uncertain { code: code.to_owned() };
    let temporary = |code: &str, seconds: Option<u64>| SendError::Temporary {
        code: code.to_owned(),
        retry_after: seconds.map(Duration::from_secs),
    };
    let error = |code: u32| format!(r#"{{"code":{code},"message":"about +33612345678","status":400}}"#);
    for (status, headers, body, expected) in [
        ("400 Bad Request", "", error(21211), permanent("twilio_21211")),
        ("400 Bad Request", "", error(21610), permanent("twilio_21610")),
        ("400 Bad Request", "", error(21617), permanent("twilio_21617")),
        ("400 Bad Request", "", error(21606), temporary("twilio_21606", None)),
        ("401 Unauthorized", "", error(20003), temporary("twilio_20003", None)),
        ("429 Too Many Requests", "Retry-After: 3\r\n", error(20429), temporary("twilio_20429", Some(3))),
        ("429 Too Many Requests", "", String::new(), temporary("twilio_http_429", None)),
        ("503 Service Unavailable", "", error(20503), temporary("twilio_20503", None)),
        ("500 Internal Server Error", "", error(20500), uncertain("twilio_20500")),
        ("504 Gateway Timeout", "", "<html>".to_owned(), uncertain("twilio_http_504")),
        ("201 Created", "", "{}".to_owned(), uncertain("twilio_unreadable_answer")),
    ] {
        let server = Scripted::start(vec![answer(status, headers, &body)]).await;
        let outcome = provider(server.address, from()).send(&message()).await;
        assert_eq!(outcome, Err(expected), "{status} {body}");
        server.heard().await;
    }
}

#[tokio::test]
async fn nobody_there_is_temporary() {
    let outcome = provider(nobody().await, from()).send(&message()).await;
    assert_eq!(outcome, Err(SendError::Temporary { code: "connect_refused".to_owned(), retry_after: None }));
}

#[tokio::test]
async fn a_sender_that_the_provider_does_not_allow_gives_way_to_the_platforms() {
    let refused = answer("400 Bad Request", "", r#"{"code":21212,"message":"Invalid From","status":400}"#);
    let created = answer("201 Created", "", r#"{"sid":"SM42","status":"queued","error_code":null}"#);
    let server = Scripted::start(vec![refused, created]).await;
    let service = TwilioSender::MessagingService("MG7".to_owned());
    let from_practice = TextMessage { sender: Some("CabLilas"), ..message() };
    assert!(provider(server.address, service).send(&from_practice).await.is_ok());
    let heard = server.heard().await;
    assert!(heard[0].ends_with("&From=CabLilas"), "{}", heard[0]);
    assert!(heard[1].ends_with("&MessagingServiceSid=MG7"), "{}", heard[1]);
}
