//! What all HTTP providers share: the client, and the fate of a message by how its exchange ended.
//! It knows no provider.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use url::{Host, Url};

use super::SendError;

/// How long to wait for an HTTP provider.
#[derive(Debug, Clone, Copy)]
pub struct HttpTimeouts {
    /// For the connection; running out of it is temporary, as nothing was sent.
    pub connect: Duration,
    /// For the whole exchange; running out of it leaves the message uncertain, so it is generous.
    pub total: Duration,
}

impl Default for HttpTimeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(30) }
    }
}

/// Says whether a host is this very machine, which needs no encryption to be reached.
pub(super) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Builds the client of one provider, and gives back its endpoint without a trailing slash.
///
/// Plain `http` reaches only this machine, or one named by a single word (a container beside this one):
/// credentials and patients' numbers never cross a network in the clear by a mistyped address.
pub(super) fn client(endpoint: &str, timeouts: HttpTimeouts) -> Result<(Client, String), String> {
    let url = Url::parse(endpoint).map_err(|error| format!("the endpoint is not an address: {error}"))?;
    let host = url.host().ok_or("the endpoint names no host")?;
    let beside = matches!(&host, Host::Domain(name) if !name.contains('.'));
    if url.scheme() != "https" && !(url.scheme() == "http" && (beside || is_loopback(&host))) {
        return Err("the endpoint must start with https://".to_owned());
    }
    // An error here means that a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total)
        // Shorter than servers keep a connection: one closed under a request would leave its message uncertain.
        .pool_idle_timeout(Duration::from_secs(10))
        .redirect(redirect::Policy::none());
    if is_loopback(&host) {
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(|error| format!("no HTTP client: {error}"))?;
    Ok((client, endpoint.trim_end_matches('/').to_owned()))
}

/// A provider's answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// Sends a request that hands a message over, and reads the answer.
pub(super) async fn exchange(request: RequestBuilder) -> Result<Answer, SendError> {
    let response = request.send().await.map_err(|error| by_failure(&error))?;
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    // A refusal stands even when its explanation is cut short; an acceptance without its identifier does not.
    let body = match response.bytes().await {
        Ok(body) => body.to_vec(),
        Err(error) if status.is_success() => return Err(by_failure(&error)),
        Err(_) => Vec::new(),
    };
    Ok(Answer { status, retry_after, body })
}

fn by_failure(error: &reqwest::Error) -> SendError {
    if error.is_connect() {
        SendError::temporary(connect_code(error))
    } else if error.is_builder() {
        SendError::permanent("request_not_built")
    } else if error.is_timeout() {
        SendError::uncertain("timeout_after_request")
    } else {
        SendError::uncertain("broken_after_request")
    }
}

fn connect_code(error: &reqwest::Error) -> &'static str {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return "connect_refused";
        }
        source = inner.source();
    }
    if error.is_timeout() { "connect_timeout" } else { "connect_failed" }
}

/// Tells the fate of a message by the status of an answer that did not accept it.
///
/// Refusals of the caller rather than of the message (credentials, credit, rights, a wrong path) are
/// temporary: an operator mends them, and the message was not at fault.
pub(super) fn by_status(answer: &Answer, code: String) -> SendError {
    match answer.status.as_u16() {
        401..=404 | 407 | 408 | 429 | 503 | 300..=399 => {
            SendError::Temporary { code, retry_after: answer.retry_after }
        }
        400..=499 => SendError::permanent(code),
        _ => SendError::uncertain(code),
    }
}
