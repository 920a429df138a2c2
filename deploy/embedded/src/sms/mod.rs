//! A server that speaks as `OVHcloud`, Twilio and Brevo do (Brevo's mail too), and keeps the messages in the outbox.
//! It never sends anything, and refuses a caller whose credentials or signature are wrong.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::body::Incoming;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

use crate::Error;
use crate::faults::Faults;
use crate::listener::Listener;
use crate::outbox::Outbox;

mod brevo;
mod callback;
mod ovh;
mod twilio;

use callback::Callbacks;
pub use callback::{BrevoWebhook, ReportFault};

/// What an SMS server can be made to do wrong, at each sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmsFault {
    /// 500.
    ServerError,
    /// 429 with `Retry-After` in seconds.
    TooManyRequests {
        /// The seconds to wait.
        retry_after: u32,
    },
    /// 400: the request makes no sense to the provider.
    BadRequest,
    /// The number does not exist, said in each provider's way: `OVHcloud` answers 200 and lists it under
    /// `invalidReceivers`, Twilio answers 400 with code 21211, Brevo answers 400 `invalid_parameter`.
    InvalidNumber,
    /// 401: the credentials no longer serve.
    Unauthorized,
    /// Keeps the text, then drops the connection without an answer.
    DropAfterAccept,
    /// Keeps the text, then never answers.
    HangAfterAccept,
    /// Keeps the text, then answers after this many milliseconds.
    Late {
        /// The milliseconds to take.
        millis: u64,
    },
}

/// What the callers must know.
#[derive(Debug, Clone)]
pub struct SmsCredentials {
    /// `OVHcloud`: the application's key.
    pub ovh_application_key: String,
    /// `OVHcloud`: the secret that signs.
    pub ovh_application_secret: String,
    /// `OVHcloud`: the key that the account's owner granted.
    pub ovh_consumer_key: String,
    /// `OVHcloud`: the SMS account.
    pub ovh_service: String,
    /// Twilio: the account.
    pub twilio_account_sid: String,
    /// Twilio: its token.
    pub twilio_auth_token: String,
    /// Brevo: the account's key.
    pub brevo_api_key: String,
}

impl Default for SmsCredentials {
    fn default() -> Self {
        Self {
            ovh_application_key: "embedded-application".into(),
            ovh_application_secret: "embedded-application-secret".into(),
            ovh_consumer_key: "embedded-consumer".into(),
            ovh_service: "sms-pe12345-1".into(),
            twilio_account_sid: "AC00000000000000000000000000000000".into(),
            twilio_auth_token: "embedded-auth-token".into(),
            brevo_api_key: "xkeysib-embedded".into(),
        }
    }
}

/// A running SMS server.
#[derive(Debug)]
pub struct SmsServer {
    listener: Listener,
    faults: Faults<SmsFault>,
    credentials: SmsCredentials,
    callbacks: Callbacks,
    /// Ends the answers that a fault holds back.
    hanging: DropGuard,
}

impl SmsServer {
    /// Listens on an address, port 0 for any, with the default credentials.
    pub async fn start(addr: SocketAddr, outbox: Outbox) -> Result<Self, Error> {
        Self::start_with(addr, outbox, SmsCredentials::default()).await
    }

    /// Listens on an address with credentials of the caller's choice.
    pub async fn start_with(
        addr: SocketAddr,
        outbox: Outbox,
        credentials: SmsCredentials,
    ) -> Result<Self, Error> {
        let faults = Faults::default();
        let hanging = CancellationToken::new();
        let callbacks = Callbacks::new(hanging.clone());
        let desk = Desk {
            outbox,
            credentials: credentials.clone(),
            faults: faults.clone(),
            callbacks: callbacks.clone(),
            stop: hanging.clone(),
        };
        let service = hyper::service::service_fn({
            let router = router(desk);
            move |request: Request<Incoming>| answer(router.clone(), request)
        });
        let listener = crate::http::start(addr, service).await?;
        Ok(Self { listener, faults, credentials, callbacks, hanging: hanging.drop_guard() })
    }

    /// Returns the base address, which takes the place of `https://eu.api.ovh.com`.
    #[must_use]
    pub fn ovh_url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Returns the base address, which takes the place of `https://api.twilio.com`.
    #[must_use]
    pub fn twilio_url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Returns the base address, which takes the place of `https://api.brevo.com`.
    #[must_use]
    pub fn brevo_url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Tells where Brevo reports what becomes of messages; Twilio is told with each message.
    pub fn call_back(&self, webhook: BrevoWebhook) {
        self.callbacks.set_brevo(webhook);
    }

    /// Returns the handle that sets what is reported of messages, by calls and to those who ask.
    #[must_use]
    pub fn reports(&self) -> Faults<ReportFault> {
        self.callbacks.faults.clone()
    }

    /// Returns the statuses that the reports were answered with so far.
    #[must_use]
    pub fn report_answers(&self) -> Vec<u16> {
        self.callbacks.answers()
    }

    /// Returns what the callers must know.
    #[must_use]
    pub fn credentials(&self) -> &SmsCredentials {
        &self.credentials
    }

    /// Returns where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// Returns the handle that makes it fail.
    #[must_use]
    pub fn faults(&self) -> Faults<SmsFault> {
        self.faults.clone()
    }

    /// Stops listening once the requests under way have ended.
    pub async fn stop(self) {
        drop(self.hanging);
        self.listener.stop().await;
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Desk {
    outbox: Outbox,
    credentials: SmsCredentials,
    faults: Faults<SmsFault>,
    callbacks: Callbacks,
    stop: CancellationToken,
}

impl Desk {
    /// Gives the answer to a message that was taken, as the fault wants it.
    async fn end(&self, fault: Option<SmsFault>, answer: Response) -> Response {
        match fault {
            Some(SmsFault::DropAfterAccept) => return Unanswered.into_response(),
            Some(SmsFault::HangAfterAccept) => {
                // Until the client gives up or the server stops.
                self.stop.cancelled().await;
                return Unanswered.into_response();
            }
            Some(SmsFault::Late { millis }) => {
                self.stop.run_until_cancelled(tokio::time::sleep(Duration::from_millis(millis))).await;
            }
            _ => {}
        }
        answer
    }
}

fn router(desk: Desk) -> Router {
    Router::new()
        .route("/1.0/auth/time", get(ovh::time))
        .route("/1.0/sms", get(ovh::list_services))
        .route("/1.0/sms/{service}/jobs", get(ovh::list_jobs).post(ovh::create_job))
        .route("/1.0/sms/{service}/outgoing", get(ovh::list_outgoing))
        .route("/1.0/sms/{service}/outgoing/{id}", get(ovh::read_outgoing))
        .route(
            "/2010-04-01/Accounts/{account}/Messages.json",
            get(twilio::list_messages).post(twilio::create_message),
        )
        .route("/2010-04-01/Accounts/{account}/Messages/{sid}", get(twilio::read_message))
        .route("/v3/transactionalSMS/send", post(brevo::send_text))
        .route("/v3/transactionalSMS/statistics/events", get(brevo::list_text_events))
        .route("/v3/smtp/email", post(brevo::send_mail))
        .route("/v3/smtp/statistics/events", get(brevo::list_mail_events))
        .with_state(desk)
}

/// Marks an answer that the client is not to see.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a fault wants this request unanswered")]
struct Unanswered;

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

/// Answers a request, or fails so that the connection is dropped.
async fn answer(router: Router, request: Request<Incoming>) -> Result<Response, Unanswered> {
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    match response.extensions().get::<Unanswered>() {
        Some(unanswered) => Err(*unanswered),
        None => Ok(response),
    }
}

/// Tells an international number (E.164) from anything else.
fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Reads the key that a caller put on the request.
fn idempotency_key(headers: &axum::http::HeaderMap) -> Option<String> {
    headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::is_number;

    #[test]
    fn only_international_numbers_are_numbers() {
        assert!(is_number("+33612345678"));
        for other in ["0612345678", "+33", "+0612345678", "+33 612345678", "33612345678", ""] {
            assert!(!is_number(other), "{other}");
        }
    }
}
