//! Faults to a Sentry, or what speaks its protocol. So many a minute and no more; what does not fit is counted and dropped, and
//! whoever reports waits for nothing.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{StatusCode, header::RETRY_AFTER};
use sentry_types::protocol::v7::{Envelope, Event, Exception, Level, Map};
use tokio::sync::{mpsc, oneshot};

use super::{config::ReportsConfig, http};

/// Reports that may go out at once, and that are given back each minute.
const BURST: f64 = 20.0;
/// Reports that wait to be sent.
const WAITING: usize = 50;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end of the process waits for the last ones.
const LAST_FLUSH: Duration = Duration::from_secs(3);
/// How long a server that is away or has had enough is left alone, unless it says.
const PAUSE: Duration = Duration::from_secs(30);

/// Sends reports in a task of its own.
#[derive(Debug, Clone)]
pub(super) struct Reports {
    sender: mpsc::Sender<Sending>,
    allowance: Arc<Mutex<Allowance>>,
    config: Arc<ReportsConfig>,
}

enum Sending {
    Report(Box<Event<'static>>),
    /// Answered once all before it were sent.
    Flush(oneshot::Sender<()>),
}

/// What is known of a fault: codes, ids and places in the code, by names that [`super::faults`] lets through.
pub(super) type Facts = Map<String, String>;

impl Reports {
    pub(super) fn start(config: ReportsConfig) -> Option<Self> {
        let url = config.dsn.envelope_api_url();
        let http = http::client(&url, PATIENCE)?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let auth = config.dsn.to_auth(Some(concat!("permanence/", env!("CARGO_PKG_VERSION")))).to_string();
        tokio::spawn(send_all(receiver, http, url, auth));
        let allowance = Arc::new(Mutex::new(Allowance { left: BURST, at: Instant::now() }));
        Some(Self { sender, allowance, config: Arc::new(config) })
    }

    /// Reports a fault, if there is room for it.
    pub(super) fn report(&self, facts: Facts) {
        let allowed = self.allowance.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        let report = Sending::Report(Box::new(event(&self.config, facts)));
        if !allowed || self.sender.try_send(report).is_err() {
            count("dropped");
        }
    }

    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let flush = async {
            if self.sender.send(Sending::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        if tokio::time::timeout(LAST_FLUSH, flush).await.is_err() {
            tracing::warn!("the last error reports were not taken");
        }
    }
}

/// How many reports may still go out.
#[derive(Debug)]
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        self.left = (self.left + passed.as_secs_f64() * BURST / 60.0).min(BURST);
        self.at = now;
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }
}

/// The report, made of facts and of nothing else: no host, no user, no request, no text.
fn event(config: &ReportsConfig, facts: Facts) -> Event<'static> {
    let fact = |name: &str| facts.get(name).cloned();
    let what = fact("fault").unwrap_or_default();
    let place = fact("route").or_else(|| fact("kind")).or_else(|| fact("location"));
    let code = fact("code").or_else(|| fact("location"));
    let fingerprint = [Some(what.clone()), code.clone(), place.clone()];
    Event {
        level: Level::Error,
        fingerprint: fingerprint.into_iter().flatten().map(Into::into).collect::<Vec<_>>().into(),
        transaction: place,
        logger: Some(config.service.clone()),
        release: Some(concat!("permanence@", env!("CARGO_PKG_VERSION")).into()),
        environment: config.environment.clone().map(Into::into),
        exception: vec![Exception { ty: what, value: code, ..Exception::default() }].into(),
        tags: facts,
        ..Event::default()
    }
}

async fn send_all(mut receiver: mpsc::Receiver<Sending>, http: reqwest::Client, url: url::Url, auth: String) {
    let mut quiet_until: Option<Instant> = None;
    while let Some(sending) = receiver.recv().await {
        let report = match sending {
            Sending::Report(event) => *event,
            Sending::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        if quiet_until.is_some_and(|until| Instant::now() < until) {
            count("dropped");
            continue;
        }
        let pause = send(&http, &url, &auth, report).await;
        count(if pause.is_some() { "failed" } else { "sent" });
        quiet_until = pause.map(|pause| Instant::now() + pause);
    }
}

/// Sends one report; answers how long the server is to be left alone, where it did not take it.
async fn send(http: &reqwest::Client, url: &url::Url, auth: &str, event: Event<'static>) -> Option<Duration> {
    let mut body = Vec::new();
    Envelope::from(event).to_writer(&mut body).ok();
    let request = http.post(url.clone()).header("x-sentry-auth", auth);
    let answer = request.header("content-type", "application/x-sentry-envelope").body(body).send().await;
    match answer {
        Ok(answer) if answer.status().is_success() => None,
        Ok(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
            let told = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Some(told.map_or(PAUSE, Duration::from_secs).min(Duration::from_hours(1)))
        }
        Ok(answer) => {
            tracing::warn!(status = answer.status().as_u16(), "an error report was refused");
            Some(PAUSE)
        }
        Err(error) => {
            tracing::warn!(error = %error.without_url(), "an error report did not arrive");
            Some(PAUSE)
        }
    }
}

fn count(outcome: &'static str) {
    ::metrics::counter!("permanence_error_reports_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_faults_is_a_few_reports_a_minute() {
        let start = Instant::now();
        let mut allowance = Allowance { left: BURST, at: start };
        let mut taken = |after: u64| {
            let now = start + Duration::from_secs(after);
            (0..1_000).filter(|_| allowance.take(now)).count()
        };
        assert_eq!([taken(0), taken(1), taken(60), taken(3_600)], [20, 0, 20, 20]);
    }
}
