//! Tells the platform what became of a message, as Twilio and Brevo do: an HTTP call of their own, signed.
//! It never calls where nobody asked it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use sha1::Sha1;
use tokio_util::sync::CancellationToken;

use crate::faults::Faults;

/// What the reports of messages can be made to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFault {
    /// The message did not arrive.
    Undelivered,
    /// Nothing is ever reported.
    Never,
    /// The same report comes twice.
    Twice,
    /// The signature or the token is not ours.
    WrongSignature,
}

/// Where Brevo calls, and with which token.
#[derive(Debug, Clone)]
pub struct BrevoWebhook {
    /// The whole URL.
    pub url: String,
    /// The bearer token.
    pub token: String,
}

/// What sends the reports; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Callbacks {
    pub(super) faults: Faults<ReportFault>,
    client: Client,
    brevo: Arc<Mutex<Option<BrevoWebhook>>>,
    answers: Arc<Mutex<Vec<u16>>>,
    stop: CancellationToken,
}

impl Callbacks {
    pub(super) fn new(stop: CancellationToken) -> Self {
        // An error here means that a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A client that can not be built is a defect of this program: there is no setting to be wrong.
        let client = Client::builder().no_proxy().build().unwrap_or_default();
        Self { faults: Faults::default(), client, brevo: Arc::default(), answers: Arc::default(), stop }
    }

    pub(super) fn set_brevo(&self, webhook: BrevoWebhook) {
        *locked(&self.brevo) = Some(webhook);
    }

    /// The statuses that the calls were answered with.
    pub(super) fn answers(&self) -> Vec<u16> {
        locked(&self.answers).clone()
    }

    /// Reports a message of Twilio's to the URL that came with it.
    pub(super) fn twilio(&self, token: &str, url: &str, sid: &str, to: &str) {
        let fault = self.faults.take(|_| true);
        let mut form = BTreeMap::from([
            ("ApiVersion", "2010-04-01"),
            ("MessageSid", sid),
            ("SmsSid", sid),
            ("To", to),
            ("MessageStatus", "delivered"),
        ]);
        if fault == Some(ReportFault::Undelivered) {
            form.extend([("MessageStatus", "undelivered"), ("ErrorCode", "30005")]);
        }
        let token = if fault == Some(ReportFault::WrongSignature) { "wrong" } else { token };
        let signature = sign(token, url, &form);
        self.call(fault, || self.client.post(url).header("X-Twilio-Signature", &signature).form(&form));
    }

    /// Reports a message of Brevo's, if it was told where; the event is made for whether it went undelivered.
    pub(super) fn brevo(&self, event: impl FnOnce(bool) -> Value) {
        let Some(BrevoWebhook { url, token }) = locked(&self.brevo).clone() else { return };
        let fault = self.faults.take(|_| true);
        let event = event(fault == Some(ReportFault::Undelivered));
        let token = if fault == Some(ReportFault::WrongSignature) { "wrong" } else { &token };
        self.call(fault, || self.client.post(&url).bearer_auth(token).json(&event));
    }

    /// Calls once the message's own answer is on its way.
    fn call(&self, fault: Option<ReportFault>, request: impl Fn() -> RequestBuilder) {
        let count = match fault {
            Some(ReportFault::Never) => 0,
            Some(ReportFault::Twice) => 2,
            _ => 1,
        };
        let requests: Vec<RequestBuilder> = (0..count).map(|_| request()).collect();
        let (answers, stop) = (Arc::clone(&self.answers), self.stop.clone());
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            for request in requests {
                match request.send().await {
                    Ok(answer) => locked(&answers).push(answer.status().as_u16()),
                    Err(error) => tracing::warn!(%error, "a report was not taken"),
                }
            }
        }));
    }
}

/// Signs as the provider's guide says: the URL and every field, sorted, under the account's token.
fn sign(token: &str, url: &str, form: &BTreeMap<&str, &str>) -> String {
    let mut text = url.to_owned();
    text.extend(form.iter().flat_map(|(name, value)| [*name, *value]));
    // A key may have any length.
    let mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).map(|mac| mac.chain_update(text));
    mac.map(|mac| STANDARD.encode(mac.finalize().into_bytes())).unwrap_or_default()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values are those of the example in Twilio's guide to its signatures.
    #[test]
    fn a_signature_covers_the_url_and_every_field() {
        let form = BTreeMap::from([
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ]);
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(sign("12345", url, &form), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }
}
