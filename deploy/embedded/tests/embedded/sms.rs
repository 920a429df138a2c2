//! The SMS server: both interfaces as their callers know them, and their failures.

use std::time::Duration;

use permanence_embedded::outbox::{Outbox, Provider};
use permanence_embedded::sms::{SmsFault, SmsServer};
use reqwest::{Client, Response, StatusCode};

use crate::ANY;

const MESSAGE: &str = r#"{"message":"À demain","receivers":["+33612345678"],"sender":"CABINET","noStopClause":true,
    "priority":"high","charset":"UTF-8","coding":"7bit","validityPeriod":2880,"tag":"reminder-1"}"#;

async fn start() -> (SmsServer, Outbox, Client) {
    // Another test of this binary may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outbox = Outbox::in_memory();
    let server = SmsServer::start(ANY, outbox.clone()).await.unwrap();
    (server, outbox, Client::builder().timeout(Duration::from_secs(2)).build().unwrap())
}

/// Signs a call as the provider's guide says.
fn sign(server: &SmsServer, method: &str, url: &str, body: &str, time: &str) -> String {
    use sha1::Digest;
    let known = server.credentials();
    let text =
        format!("{}+{}+{method}+{url}+{body}+{time}", known.ovh_application_secret, known.ovh_consumer_key);
    format!("$1${}", hex::encode(sha1::Sha1::digest(text)))
}

async fn ovh(
    server: &SmsServer,
    client: &Client,
    method: &str,
    path: &str,
    body: &str,
) -> reqwest::Result<Response> {
    let time = client.get(format!("{}/1.0/auth/time", server.ovh_url())).send().await?.text().await?;
    let url = format!("{}/1.0{path}", server.ovh_url());
    client
        .request(method.parse().unwrap(), &url)
        .header("X-Ovh-Application", &server.credentials().ovh_application_key)
        .header("X-Ovh-Consumer", &server.credentials().ovh_consumer_key)
        .header("X-Ovh-Timestamp", &time)
        .header("X-Ovh-Signature", sign(server, method, &url, body, &time))
        .body(body.to_owned())
        .send()
        .await
}

async fn ovh_send(server: &SmsServer, client: &Client, body: &str) -> reqwest::Result<Response> {
    ovh(server, client, "POST", "/sms/sms-pe12345-1/jobs", body).await
}

async fn twilio_send(server: &SmsServer, client: &Client, to: &str) -> reqwest::Result<Response> {
    let known = server.credentials();
    client
        .post(format!(
            "{}/2010-04-01/Accounts/{}/Messages.json",
            server.twilio_url(),
            known.twilio_account_sid
        ))
        .basic_auth(&known.twilio_account_sid, Some(&known.twilio_auth_token))
        .header("Idempotency-Key", "reminder-2")
        .form(&[("To", to), ("From", "CABINET"), ("Body", "À demain")])
        .send()
        .await
}

async fn json(response: Response) -> serde_json::Value {
    response.json().await.unwrap()
}

#[tokio::test]
async fn a_signed_call_sends_and_can_be_looked_up_by_its_tag() {
    let (server, outbox, client) = start().await;
    let report = json(ovh_send(&server, &client, MESSAGE).await.unwrap()).await;
    assert_eq!(
        report,
        serde_json::json!({
            "ids": [1], "validReceivers": ["+33612345678"], "invalidReceivers": [], "totalCreditsRemoved": 1
        })
    );
    let text = outbox.texts().remove(0);
    assert_eq!(
        (text.provider, text.to.as_str(), text.body.as_str()),
        (Provider::Ovh, "+33612345678", "À demain")
    );
    assert_eq!((text.sender.as_str(), text.key.as_deref()), ("CABINET", Some("reminder-1")));

    for (tag, found) in [("reminder-1", "[1]"), ("reminder-9", "[]")] {
        let path = format!("/sms/sms-pe12345-1/outgoing?tag={tag}");
        assert_eq!(ovh(&server, &client, "GET", &path, "").await.unwrap().text().await.unwrap(), found);
    }
    let sent = json(ovh(&server, &client, "GET", "/sms/sms-pe12345-1/outgoing/1", "").await.unwrap()).await;
    assert_eq!(sent["message"], "À demain");
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_signature_is_refused() {
    let (server, outbox, client) = start().await;
    let url = format!("{}/1.0/sms/sms-pe12345-1/jobs", server.ovh_url());
    let answer = client
        .post(&url)
        .header("X-Ovh-Application", &server.credentials().ovh_application_key)
        .header("X-Ovh-Consumer", &server.credentials().ovh_consumer_key)
        .header("X-Ovh-Timestamp", "1366560945")
        .header("X-Ovh-Signature", sign(&server, "POST", &url, "another body", "1366560945"))
        .body(MESSAGE)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        json(answer).await,
        serde_json::json!({
            "errorCode": "INVALID_SIGNATURE", "httpCode": "400 Bad Request", "message": "Invalid signature"
        })
    );
    assert!(outbox.messages().is_empty());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (server, outbox, client) = start().await;
    for body in ["{}", "[]", &MESSAGE.replace("tag", "label"), &MESSAGE.replace("7bit", "9bit")] {
        assert_eq!(
            ovh_send(&server, &client, body).await.unwrap().status(),
            StatusCode::BAD_REQUEST,
            "{body}"
        );
    }
    let report = json(ovh_send(&server, &client, &MESSAGE.replace("+336", "06")).await.unwrap()).await;
    assert_eq!(report["invalidReceivers"], serde_json::json!(["0612345678"]));
    let answer = twilio_send(&server, &client, "0612345678").await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        json(answer).await,
        serde_json::json!({
            "code": 21211,
            "message": "The 'To' number 0612345678 is not a valid phone number.",
            "more_info": "https://www.twilio.com/docs/errors/21211",
            "status": 400
        })
    );
    assert!(outbox.messages().is_empty());
}

#[tokio::test]
async fn a_form_with_the_token_sends_and_one_without_does_not() {
    let (server, outbox, client) = start().await;
    let answer = twilio_send(&server, &client, "+33612345678").await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let message = json(answer).await;
    let sid = message["sid"].as_str().unwrap();
    assert!(sid.len() == 34 && sid.starts_with("SM"));
    assert_eq!((&message["status"], &message["from"]), (&"queued".into(), &"CABINET".into()));
    let text = outbox.texts().remove(0);
    assert_eq!((text.provider, text.key.as_deref()), (Provider::Twilio, Some("reminder-2")));

    let url = format!("{}{}", server.twilio_url(), message["uri"].as_str().unwrap());
    let known = server.credentials();
    let found = client.get(&url).basic_auth(&known.twilio_account_sid, Some(&known.twilio_auth_token));
    assert_eq!(json(found.send().await.unwrap()).await["body"], "À demain");
    let stranger =
        client.get(&url).basic_auth(&known.twilio_account_sid, Some("wrong")).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn both_interfaces_fail_as_told() {
    let (server, outbox, client) = start().await;
    for (fault, status) in [
        (SmsFault::ServerError, 500),
        (SmsFault::TooManyRequests { retry_after: 7 }, 429),
        (SmsFault::BadRequest, 400),
        (SmsFault::Unauthorized, 401),
    ] {
        server.faults().next(2, fault);
        for answer in
            [ovh_send(&server, &client, MESSAGE).await, twilio_send(&server, &client, "+33612345678").await]
        {
            let answer = answer.unwrap();
            assert_eq!(answer.status(), status, "{fault:?}");
            let wait = answer.headers().get("retry-after").map(|value| value.to_str().unwrap());
            assert_eq!(wait, (status == 429).then_some("7"));
        }
    }
    server.faults().next(1, SmsFault::InvalidNumber);
    let report = json(ovh_send(&server, &client, MESSAGE).await.unwrap()).await;
    assert_eq!(report["ids"], serde_json::json!([]));
    assert!(outbox.messages().is_empty());
    assert_eq!(ovh_send(&server, &client, MESSAGE).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_text_may_have_left_although_nobody_said_so() {
    let (server, outbox, client) = start().await;
    server.faults().next(2, SmsFault::DropAfterAccept);
    let dropped = ovh_send(&server, &client, MESSAGE).await.unwrap_err();
    assert!(!dropped.is_timeout() && !dropped.is_connect(), "{dropped:?}");
    assert!(twilio_send(&server, &client, "+33612345678").await.is_err());
    assert_eq!(outbox.texts().len(), 2);

    server.faults().always(SmsFault::HangAfterAccept);
    assert!(ovh_send(&server, &client, MESSAGE).await.unwrap_err().is_timeout());
    assert_eq!(outbox.texts().len(), 3);
    let hanging = tokio::spawn({
        let url = format!("{}/2010-04-01/Accounts/x/Messages.json", server.twilio_url());
        async move { client.get(url).send().await }
    });
    tokio::time::timeout(Duration::from_secs(10), server.stop()).await.unwrap();
    let _ = hanging.await.unwrap();
}
