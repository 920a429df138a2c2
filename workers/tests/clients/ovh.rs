use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use permanence_workers::clients::sms::{Ovh, OvhSettings, SmsProvider, TextMessage};
use permanence_workers::clients::{HttpTimeouts, Receipt, SendError};
use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::scripted::Step::{Hang, Request};
use super::scripted::{Scripted, Step, answer, header, nobody};

const ACCEPTED: &str =
    r#"{"totalCreditsRemoved":1,"invalidReceivers":[],"ids":[26929925],"validReceivers":["+33612345678"]}"#;
const REFUSED: &str =
    r#"{"totalCreditsRemoved":0,"invalidReceivers":["+33612345678"],"ids":[],"validReceivers":[]}"#;

fn settings(address: SocketAddr) -> OvhSettings {
    OvhSettings {
        endpoint: format!("http://{address}/"),
        application_key: "key".to_owned(),
        application_secret: "secret".to_owned(),
        consumer_key: "consumer".to_owned(),
        service: "sms-ab12345-1".to_owned(),
        sender: Some("Permanence".to_owned()),
        timeouts: HttpTimeouts { connect: Duration::from_secs(5), total: Duration::from_secs(5) },
    }
}

fn provider(settings: OvhSettings) -> SmsProvider {
    SmsProvider::Ovh(Ovh::new(settings, Arc::new(|| 1_700_000_000)).unwrap())
}

fn message(body: &str) -> TextMessage<'_> {
    TextMessage {
        to: "+33612345678",
        sender: None,
        body,
        key: Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
        valid_for: Duration::from_hours(2),
    }
}

/// The provider's clock, 90 seconds ahead of ours.
fn time() -> Vec<Step> {
    answer("200 OK", "", "1700000090")
}

async fn outcome(job: Vec<Step>) -> Result<Receipt, SendError> {
    let server = Scripted::start(vec![time(), job]).await;
    let outcome = provider(settings(server.address)).send(&message("Bonjour")).await;
    server.heard().await;
    outcome
}

fn temporary(code: &str, retry_after: Option<u64>) -> Result<Receipt, SendError> {
    let retry_after = retry_after.map(Duration::from_secs);
    Err(SendError::Temporary { code: code.to_owned(), retry_after })
}

#[tokio::test]
async fn an_accepted_message_is_signed_at_the_providers_time() {
    let server = Scripted::start(vec![time(), answer("200 OK", "", ACCEPTED)]).await;
    let address = server.address;
    let receipt = provider(settings(address)).send(&message("Rendez-vous à 14h")).await.unwrap();
    assert_eq!(receipt, Receipt { provider: "ovh", message_id: "26929925".to_owned() });

    let heard = server.heard().await;
    assert!(heard[0].starts_with("GET /1.0/auth/time HTTP/1.1\r\n"), "{}", heard[0]);
    let job = &heard[1];
    assert!(job.starts_with("POST /1.0/sms/sms-ab12345-1/jobs HTTP/1.1\r\n"), "{job}");
    let (_, body) = job.split_once("\r\n\r\n").unwrap();
    let url = format!("http://{address}/1.0/sms/sms-ab12345-1/jobs");
    let signed = Sha1::digest(format!("secret+consumer+POST+{url}+{body}+1700000090"));
    assert_eq!(header(job, "x-ovh-signature").unwrap(), format!("$1${}", hex::encode(signed)));
    assert_eq!(header(job, "x-ovh-application"), Some("key"));
    assert_eq!(header(job, "x-ovh-consumer"), Some("consumer"));
    assert_eq!(header(job, "x-ovh-timestamp"), Some("1700000090"));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(body).unwrap(),
        serde_json::json!({
            "message": "Rendez-vous à 14h",
            "receivers": ["+33612345678"],
            "sender": "Permanence",
            "senderForResponse": false,
            "noStopClause": true,
            "priority": "high",
            "charset": "UTF-8",
            "coding": "7bit",
            "validityPeriod": 120,
            "tag": "774bbcceb302099a8057",
        })
    );
}

#[tokio::test]
async fn the_time_is_asked_once_and_again_when_it_has_drifted() {
    let stale =
        r#"{"httpCode":"400 Bad Request","errorCode":"QUERY_TIME_OUT","message":"Query out of time"}"#;
    let server = Scripted::start(vec![
        time(),
        answer("200 OK", "", ACCEPTED),
        answer("400 Bad Request", "", stale),
        answer("200 OK", "", "1700000500"),
        answer("200 OK", "", ACCEPTED),
    ])
    .await;
    let provider = provider(OvhSettings { sender: None, ..settings(server.address) });
    assert!(provider.send(&message("a")).await.is_ok());
    assert_eq!(provider.send(&message("b")).await, temporary("ovh_query_time_out", None));
    assert!(provider.send(&message("forêt")).await.is_ok());
    let heard = server.heard().await;
    let last = &heard[4];
    assert_eq!(header(last, "x-ovh-timestamp"), Some("1700000500"));
    assert!(last.contains(r#""coding":"8bit""#) && last.contains(r#""senderForResponse":true"#), "{last}");
    assert!(!last.contains(r#""sender":"#), "{last}");
}

#[tokio::test]
async fn an_answer_decides_the_messages_fate() {
    let uncertain = |code: &str| Err(SendError::Uncertain { code: code.to_owned() });
    let permanent = |code: &str| Err(SendError::Permanent { code: code.to_owned() });
    let signature =
        r#"{"httpCode":"400 Bad Request","errorCode":"INVALID_SIGNATURE","message":"Invalid signature"}"#;
    let bad = r#"{"class":"Client::BadRequest","message":"Invalid receiver +33612345678"}"#;
    for (status, headers, body, expected) in [
        ("200 OK", "", REFUSED, permanent("ovh_invalid_receiver")),
        ("200 OK", "", "{}", uncertain("ovh_unreadable_answer")),
        ("200 OK", "", "<html>", uncertain("ovh_unreadable_answer")),
        ("400 Bad Request", "", bad, permanent("ovh_http_400")),
        ("400 Bad Request", "", signature, temporary("ovh_invalid_signature", None)),
        ("403 Forbidden", "", "{}", temporary("ovh_http_403", None)),
        ("429 Too Many Requests", "Retry-After: 7\r\n", "", temporary("ovh_http_429", Some(7))),
        ("503 Service Unavailable", "", "", temporary("ovh_http_503", None)),
        ("500 Internal Server Error", "", "", uncertain("ovh_http_500")),
        ("502 Bad Gateway", "", "", uncertain("ovh_http_502")),
        ("504 Gateway Timeout", "", "", uncertain("ovh_http_504")),
        ("307 Temporary Redirect", "Location: /elsewhere\r\n", "", temporary("ovh_http_307", None)),
    ] {
        assert_eq!(outcome(answer(status, headers, body)).await, expected, "{status} {body}");
    }
}

/// The practice's sender is tried first; undeclared, it costs a second request and never the message.
#[tokio::test]
async fn a_sender_that_the_provider_does_not_allow_gives_way_to_the_platforms() {
    let refused = r#"{"class":"Client::BadRequest","message":"The sender CabLilas is not valid"}"#;
    let steps = vec![time(), answer("400 Bad Request", "", refused), answer("200 OK", "", ACCEPTED)];
    let server = Scripted::start(steps).await;
    let from_practice = TextMessage { sender: Some("CabLilas"), ..message("Bonjour") };
    assert!(provider(settings(server.address)).send(&from_practice).await.is_ok());
    let heard = server.heard().await;
    assert!(heard[1].contains(r#""sender":"CabLilas""#), "{}", heard[1]);
    assert!(heard[2].contains(r#""sender":"Permanence""#), "{}", heard[2]);

    let server = Scripted::start(vec![time(), answer("400 Bad Request", "", refused)]).await;
    let without = provider(settings(server.address)).send(&message("Bonjour")).await;
    assert_eq!(without, temporary("ovh_sender_refused", None), "the platform's own is not tried again");
    server.heard().await;
}

#[tokio::test]
async fn a_request_that_was_sent_and_not_answered_is_uncertain() {
    let uncertain = |code: &str| Err(SendError::Uncertain { code: code.to_owned() });
    assert_eq!(outcome(vec![Request]).await, uncertain("broken_after_request"));
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{".to_owned();
    assert_eq!(outcome(vec![Request, Step::Say(cut)]).await, uncertain("broken_after_request"));

    let server = Scripted::start(vec![time(), vec![Request, Hang]]).await;
    let brief = HttpTimeouts { connect: Duration::from_secs(5), total: Duration::from_millis(200) };
    let provider = provider(OvhSettings { timeouts: brief, ..settings(server.address) });
    assert_eq!(provider.send(&message("Bonjour")).await, uncertain("timeout_after_request"));
    server.heard().await;
}

#[tokio::test]
async fn nothing_is_uncertain_before_the_message_is_sent() {
    let refused = provider(settings(nobody().await)).send(&message("Bonjour")).await;
    assert_eq!(refused, temporary("connect_refused", None));
    for (steps, expected) in [
        (vec![Request], temporary("ovh_no_time", None)),
        (answer("200 OK", "", "soon"), temporary("ovh_no_time", None)),
        (answer("500 Internal Server Error", "", ""), temporary("ovh_http_500", None)),
    ] {
        let server = Scripted::start(vec![steps]).await;
        assert_eq!(provider(settings(server.address)).send(&message("Bonjour")).await, expected);
    }
}

#[tokio::test]
async fn a_number_that_is_none_is_refused_without_a_request() {
    let provider = provider(settings(nobody().await));
    for to in ["0612345678", "+33 6 12", "+", "+331234567890123456"] {
        let outcome = provider.send(&TextMessage { to, ..message("Bonjour") }).await;
        assert_eq!(outcome, Err(SendError::Permanent { code: "invalid_number".to_owned() }), "{to}");
    }
}
