//! Brevo's webhooks, for mail and text messages: JSON, sent with a token of our choice
//! (developers.brevo.com/docs/transactional-webhooks and /docs/secured-webhooks).

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::{DeliveryReport, DeliveryStatus, Provider};
use crate::config::Secret;

/// Whether an `Authorization` header holds the secret: as a bearer token, or as the password of a URL such as
/// `https://permanence:secret@…`, which are the provider's two ways to call a webhook.
pub fn is_authentic(secret: &Secret, authorization: &str) -> bool {
    let basic = authorization.strip_prefix("Basic ").and_then(|encoded| {
        let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
        decoded.split_once(':').map(|(_, password)| password.to_owned())
    });
    let bearer = || authorization.strip_prefix("Bearer ").map(|token| token.trim().to_owned());
    let Some(given) = basic.or_else(bearer) else { return false };
    given.as_bytes().ct_eq(secret.expose().as_bytes()).into()
}

/// One event, of a mail or of a text message.
#[derive(Deserialize)]
struct Notice {
    /// Of a mail.
    event: Option<String>,
    #[serde(rename = "message-id")]
    mail: Option<String>,
    /// Of a text message.
    msg_status: Option<String>,
    #[serde(rename = "messageId")]
    text: Option<Value>,
    /// Seconds since 1970.
    ts_event: Option<i64>,
}

/// Reads what one call reports: one event or a list of them. Events that say nothing of a delivery, such as a click,
/// are left out; `None` when the body is no JSON of this kind.
pub fn reports(body: &[u8], now: DateTime<Utc>) -> Option<Vec<DeliveryReport>> {
    let events = match serde_json::from_slice(body).ok()? {
        Value::Array(events) => events,
        event @ Value::Object(_) => vec![event],
        _ => return None,
    };
    let read: Vec<Notice> = events.into_iter().map(serde_json::from_value).collect::<Result<_, _>>().ok()?;
    Some(read.into_iter().filter_map(|notice| report(notice, now)).collect())
}

fn report(notice: Notice, now: DateTime<Utc>) -> Option<DeliveryReport> {
    let (message_id, status) = match (notice.mail, notice.event, notice.text, notice.msg_status) {
        // With and without brackets, as it comes.
        (Some(id), Some(event), ..) => (id.trim_matches(['<', '>']).to_owned(), mail_status(&event)?),
        (None, _, Some(id), Some(status)) => (number(&id)?, text_status(&status)?),
        _ => return None,
    };
    let at = notice.ts_event.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).unwrap_or(now);
    Some(DeliveryReport { provider: Provider::Brevo, message_id, status, at })
}

fn number(id: &Value) -> Option<String> {
    id.as_u64().map(|id| id.to_string()).or_else(|| id.as_str().map(str::to_owned))
}

/// Reads an event of a mail, in a webhook (`hard_bounce`) or in the list of events (`hardBounces`).
pub fn mail_status(event: &str) -> Option<DeliveryStatus> {
    let bounced = |hard, code: &str| DeliveryStatus::Bounced { hard, code: code.to_owned() };
    let failed = |permanent, code: &str| DeliveryStatus::Failed { permanent, code: code.to_owned() };
    Some(match word(event).as_str() {
        "delivered" => DeliveryStatus::Delivered,
        "softbounce" => bounced(false, "brevo_soft_bounce"),
        "hardbounce" => bounced(true, "brevo_hard_bounce"),
        "invalid" | "invalidemail" => bounced(true, "brevo_invalid_email"),
        "blocked" => failed(true, "brevo_blocked"),
        "error" => failed(false, "brevo_error"),
        "spam" => DeliveryStatus::Complained,
        "unsubscribed" => DeliveryStatus::OptedOut,
        "request" | "sent" | "deferred" => DeliveryStatus::Pending,
        _ => return None,
    })
}

/// Reads an event of a text message, in a webhook (`hard_bounce`) or in the list of events (`hardBounces`).
pub fn text_status(event: &str) -> Option<DeliveryStatus> {
    let failed = |permanent, code: &str| DeliveryStatus::Failed { permanent, code: code.to_owned() };
    Some(match word(event).as_str() {
        "delivered" => DeliveryStatus::Delivered,
        "softbounce" => failed(false, "brevo_soft_bounce"),
        "hardbounce" => failed(true, "brevo_hard_bounce"),
        "rejected" => failed(false, "brevo_rejected"),
        "skip" | "skipped" | "blocked" => failed(true, "brevo_blocked"),
        "unsubscribe" | "unsubscribed" | "blacklisted" => DeliveryStatus::OptedOut,
        "sent" | "accepted" => DeliveryStatus::Pending,
        _ => return None,
    })
}

/// The same word for `hard_bounce`, `hardBounce` and `hardBounces`.
fn word(event: &str) -> String {
    let word: String = event.chars().filter(char::is_ascii_alphanumeric).collect();
    let word = word.to_ascii_lowercase();
    word.strip_suffix('s')
        .filter(|word| word.ends_with("bounce") || *word == "request")
        .map_or(word.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_secret_comes_as_a_token_or_as_a_password() {
        let secret = Secret::new("s3cret:with-colon");
        let basic = format!("Basic {}", BASE64_STANDARD.encode("permanence:s3cret:with-colon"));
        assert!(is_authentic(&secret, "Bearer s3cret:with-colon") && is_authentic(&secret, &basic));
        for wrong in ["", "Bearer ", "Bearer s3cret", "s3cret:with-colon", "Basic czNjcmV0", "Basic !"] {
            assert!(!is_authentic(&secret, wrong), "{wrong}");
        }
    }

    /// Fields as in the provider's guide.
    #[test]
    fn a_mails_event_keeps_its_time_and_loses_its_address() {
        let body = r#"{"event":"hard_bounce","email":"lea@example.org","id":26224,"date":"2020-10-09 00:00:00",
            "ts":1604933619,"message-id":"<201798300811.5787683@relay.domain.com>","ts_event":1604933654,
            "subject":"My first Transactional","reason":"550 lea@example.org unknown","tags":["t"]}"#;
        let report = DeliveryReport {
            provider: Provider::Brevo,
            message_id: "201798300811.5787683@relay.domain.com".to_owned(),
            status: DeliveryStatus::Bounced { hard: true, code: "brevo_hard_bounce".to_owned() },
            at: at(1_604_933_654),
        };
        assert_eq!(reports(body.as_bytes(), at(0)), Some(vec![report]));
    }

    #[test]
    fn a_texts_event_is_known_by_its_number() {
        let body = r#"{"id":26570,"to":"918076001713","sms_count":1,"credits_used":1.5,"messageId":123,
            "msg_status":"delivered","date":"2022-09-21 13:08:30","type":"transactional","reference":"ab1"}"#;
        let report = DeliveryReport {
            provider: Provider::Brevo,
            message_id: "123".to_owned(),
            status: DeliveryStatus::Delivered,
            at: at(7),
        };
        assert_eq!(reports(body.as_bytes(), at(7)), Some(vec![report]));
    }

    #[test]
    fn a_list_is_read_whole_and_clicks_are_left_out() {
        let body =
            r#"[{"event":"click","message-id":"<a@b>"},{"event":"spam","message-id":"<a@b>"},{"other":1}]"#;
        let reports = reports(body.as_bytes(), at(0)).unwrap();
        assert_eq!(
            reports.iter().map(|report| &report.status).collect::<Vec<_>>(),
            [&DeliveryStatus::Complained]
        );
        for wrong in ["", "1", "\"delivered\"", "[1]", r#"{"event":3}"#] {
            assert_eq!(super::reports(wrong.as_bytes(), at(0)), None, "{wrong}");
        }
    }

    #[test]
    fn one_word_in_three_spellings_means_one_thing() {
        for event in ["soft_bounce", "softBounce", "softBounces"] {
            assert!(
                matches!(mail_status(event), Some(DeliveryStatus::Bounced { hard: false, .. })),
                "{event}"
            );
            assert!(matches!(text_status(event), Some(DeliveryStatus::Failed { permanent: false, .. })));
        }
        assert_eq!(mail_status("requests"), Some(DeliveryStatus::Pending));
        assert_eq!((mail_status("opened"), text_status("replied")), (None, None));
    }
}
