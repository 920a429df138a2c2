//! Twilio's status callbacks: a form, signed with the account's token
//! (twilio.com/docs/usage/security, twilio.com/docs/messaging/guides/track-outbound-message-status).

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use url::form_urlencoded;

use super::{DeliveryReport, DeliveryStatus, Provider};
use crate::config::Secret;

/// Reads a form's fields.
pub fn fields(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}

/// Whether a form was signed with the account's token for this URL: the one that the provider was told, however the
/// request was led here.
pub fn is_authentic(token: &Secret, url: &str, fields: &[(String, String)], signature: &str) -> bool {
    let Ok(signature) = BASE64_STANDARD.decode(signature) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token.expose().as_bytes()) else { return false };
    mac.update(url.as_bytes());
    // Sorted by name; a name that comes twice with one value counts once, as in the provider's libraries.
    for (name, value) in fields.iter().collect::<BTreeSet<_>>() {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    // Takes as long whatever the difference.
    mac.verify_slice(&signature).is_ok()
}

/// Reads what a form reports; `None` when it names no message or no status.
pub fn report(fields: &[(String, String)], now: DateTime<Utc>) -> Option<DeliveryReport> {
    let field =
        |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let message_id = field("MessageSid").or_else(|| field("SmsSid")).filter(|sid| is_sid(sid))?.to_owned();
    let status = status(field("MessageStatus").or_else(|| field("SmsStatus"))?, field("ErrorCode"));
    // The form has no time of its own.
    Some(DeliveryReport { provider: Provider::Twilio, message_id, status, at: now })
}

fn is_sid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Reads a message's status and error code, in a form or in the message's own resource.
pub fn status(status: &str, error: Option<&str>) -> DeliveryStatus {
    let number: Option<u32> = error.and_then(|number| number.parse().ok());
    match (status, number) {
        ("delivered" | "read", _) => DeliveryStatus::Delivered,
        // The recipient answered STOP.
        ("undelivered" | "failed", Some(21_610)) => DeliveryStatus::OptedOut,
        ("undelivered" | "failed", Some(number)) => {
            DeliveryStatus::Failed { permanent: is_permanent(number), code: format!("twilio_{number}") }
        }
        ("undelivered", None) => {
            DeliveryStatus::Failed { permanent: false, code: "twilio_undelivered".to_owned() }
        }
        ("failed", None) => DeliveryStatus::Failed { permanent: false, code: "twilio_failed".to_owned() },
        ("canceled", _) => DeliveryStatus::Failed { permanent: false, code: "twilio_canceled".to_owned() },
        _ => DeliveryStatus::Pending,
    }
}

/// Not a number, not a mobile number, blocked, unknown, a landline.
fn is_permanent(number: u32) -> bool {
    matches!(number, 21_211 | 21_614 | 30_004 | 30_005 | 30_006)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The token, URL, fields and signatures are those of the provider's guide and of its libraries' tests.
    #[test]
    fn agrees_with_the_published_signatures() {
        let token = Secret::new("12345");
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let fields = owned(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
        ]);
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert!(is_authentic(&token, url, &fields, signature));
        let repeated = owned(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        assert!(is_authentic(&token, url, &repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="));

        assert!(!is_authentic(&Secret::new("12346"), url, &fields, signature));
        assert!(!is_authentic(&token, "https://mycompany.com/myapp.php?foo=1", &fields, signature));
        assert!(!is_authentic(&token, url, &fields[1..], signature));
        for wrong in ["", "RSOYDt4T", "not base64", "IK+Dwps556ElfBT0I3Rgjkr1wJU="] {
            assert!(!is_authentic(&token, url, &fields, wrong), "{wrong}");
        }
    }

    #[test]
    fn a_form_tells_what_became_of_a_message() {
        let failed = |permanent, code: &str| DeliveryStatus::Failed { permanent, code: code.to_owned() };
        for (form, expected) in [
            ("MessageStatus=delivered", DeliveryStatus::Delivered),
            ("MessageStatus=undelivered&ErrorCode=30003", failed(false, "twilio_30003")),
            ("MessageStatus=undelivered&ErrorCode=30005", failed(true, "twilio_30005")),
            ("MessageStatus=failed", failed(false, "twilio_failed")),
            ("MessageStatus=failed&ErrorCode=%2B33612345678", failed(false, "twilio_failed")),
            ("MessageStatus=undelivered&ErrorCode=21610", DeliveryStatus::OptedOut),
            ("MessageStatus=sent", DeliveryStatus::Pending),
            ("MessageStatus=something_new", DeliveryStatus::Pending),
        ] {
            let body = format!("To=%2B33612345678&MessageSid=SM42&{form}");
            let report = report(&fields(body.as_bytes()), DateTime::UNIX_EPOCH).unwrap();
            assert_eq!((report.message_id.as_str(), report.status), ("SM42", expected), "{form}");
        }
        for wrong in ["", "MessageStatus=sent", "MessageSid=SM42", "MessageSid=%00&MessageStatus=sent"] {
            assert_eq!(report(&fields(wrong.as_bytes()), DateTime::UNIX_EPOCH), None, "{wrong}");
        }
    }
}
