//! What a process tells of itself (docs/LOGGING.md): logs as JSON lines on standard error, metrics for Prometheus, and where they
//! are configured traces by OTLP and reports of faults. No personal data in any of them.

mod config;
mod faults;
mod http;
mod metrics;
mod reports;
mod traces;

use permanence_queue::trace;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, Targets},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

pub use config::{ReportsConfig, TelemetryConfig, TracesConfig};
pub use metrics::{prometheus, record_metrics};

use crate::config::Env;
use faults::Faults;
use reports::Reports;
use traces::Traces;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// Short coloured lines, for a person at a terminal.
    Text,
}

/// What is logged where `RUST_LOG` says nothing. Statements are logged by sqlx with their text only, and only slow ones at this level.
const DEFAULT_FILTER: &str = "info,apalis=warn,s3s=warn,tokio_cron_scheduler=warn";

/// What goes out of a running process besides its log.
#[derive(Debug)]
#[must_use = "what waits to be sent is lost unless it is ended"]
pub struct Telemetry {
    traces: Option<Traces>,
    reports: Option<Reports>,
}

/// Starts logging, and what the environment asks for besides; must run inside the runtime. `RUST_LOG` chooses what is logged,
/// `info` where it is absent or empty. `service` names the process in traces, unless `OTEL_SERVICE_NAME` does.
///
/// A wrong variable starts nothing here; it is told with all others by the process' own configuration.
pub fn init(format: LogFormat, service: &str) -> Telemetry {
    let config = TelemetryConfig::read(&mut Env::of_process(), service).unwrap_or_default();
    let wanted = (config.traces.is_some(), config.reports.is_some());
    let telemetry = Telemetry::new(config);
    let logs = logs(format, std::io::stderr);
    if let Err(error) = tracing_subscriber::registry().with(logs).with(telemetry.layer()).try_init() {
        tracing::debug!(%error, "logging was started before");
    }
    if wanted != (telemetry.traces.is_some(), telemetry.reports.is_some()) {
        tracing::error!("traces or error reports are asked for and could not be begun");
    }
    if telemetry.reports.is_some() {
        faults::report_panics();
    }
    telemetry
}

/// Starts logging alone, for programs that do one thing and end.
pub fn log(format: LogFormat) {
    if let Err(error) = tracing_subscriber::registry().with(logs(format, std::io::stderr)).try_init() {
        tracing::debug!(%error, "logging was started before");
    }
}

impl Telemetry {
    /// What a configuration asks for; nothing is sent yet. Must run inside the runtime.
    pub fn new(config: TelemetryConfig) -> Self {
        Self {
            traces: config.traces.and_then(Traces::start),
            reports: config.reports.and_then(Reports::start),
        }
    }

    /// What sees spans and faults; for [`init`], and for tests that log elsewhere.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let spans = self.traces.as_ref().map(Traces::layer);
        Layer::and_then(spans, self.reports.clone().map(Faults::layer))
    }

    /// Sends what waits, for some seconds at the most.
    pub async fn end(self) {
        let traces = async {
            if let Some(traces) = self.traces {
                traces.end().await;
            }
        };
        let reports = async {
            if let Some(reports) = self.reports {
                reports.flush().await;
            }
        };
        futures::future::join(traces, reports).await;
    }
}

/// The log: whatever the filter lets through, but for what goes to traces and reports alone.
fn logs<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // The library takes an empty variable for "errors alone".
    let wanted = std::env::var("RUST_LOG").ok().filter(|wanted| !wanted.trim().is_empty());
    let filter = wanted
        .and_then(|wanted| EnvFilter::try_new(wanted).ok())
        .unwrap_or_else(|| EnvFilter::new(DEFAULT_FILTER));
    let filter = FilterExt::and(filter, everything_but([trace::SPANS, trace::FAULTS]));
    match format {
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(writer)
            .with_filter(filter)
            .boxed(),
        LogFormat::Text => {
            fmt::layer().compact().with_target(false).with_writer(writer).with_filter(filter).boxed()
        }
    }
}

fn everything_but(targets: [&'static str; 2]) -> Targets {
    let off = targets.map(|target| (target, LevelFilter::OFF));
    Targets::new().with_default(LevelFilter::TRACE).with_targets(off)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Router, extract::State, http::HeaderMap, routing::post};
    use serde_json::{Value, json};

    use super::*;

    type Received = Arc<Mutex<Vec<(HeaderMap, String)>>>;

    async fn take(State(received): State<Received>, headers: HeaderMap, body: String) {
        received.lock().unwrap().push((headers, body));
    }

    /// A server that receives reports, and the configuration that leads to it.
    async fn server() -> (Received, TelemetryConfig) {
        let received = Received::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dsn = format!("http://key@{}/7", listener.local_addr().unwrap());
        let routes = Router::new().route("/api/7/envelope/", post(take)).with_state(received.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let mut env =
            Env::of([("SENTRY_DSN".to_owned(), dsn), ("SENTRY_ENVIRONMENT".to_owned(), "test".to_owned())]);
        (received, TelemetryConfig::read(&mut env, "permanence-api").unwrap())
    }

    fn within(telemetry: &Telemetry, faults: impl FnOnce()) {
        // With one subscriber alone, another test's thread that meets a span first asks its own, finds none, and nobody sees the span.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(telemetry.layer()), faults);
    }

    #[tokio::test]
    async fn a_report_holds_facts_and_nothing_of_a_person() {
        let (received, config) = server().await;
        let telemetry = Telemetry::new(config);
        within(&telemetry, || {
            let route = "/api/v1/patients/{id}";
            let span = tracing::info_span!(
                "request",
                request_id = "01a1",
                method = "GET",
                route,
                patient = "Garcia"
            );
            span.in_scope(|| {
                tracing::error!(target: trace::FAULTS, fault = "request", status = 500, code = "internal",
                    error = "duplicate key (email)=(helene@garcia.example)", "Garcia");
                tracing::error!(error = "Garcia", "what is logged is not reported");
            });
        });
        telemetry.end().await;

        let received = received.lock().unwrap();
        let [(headers, body)] = received.as_slice() else { panic!("{received:?}") };
        let auth = headers["x-sentry-auth"].to_str().unwrap();
        assert!(auth.contains("sentry_key=key") && auth.contains("sentry_client=permanence/"), "{auth}");
        let mut event: Value = serde_json::from_str(body.lines().nth(2).unwrap()).unwrap();
        for drawn in ["event_id", "timestamp", "release"] {
            assert!(event.as_object_mut().unwrap().remove(drawn).is_some(), "{drawn}");
        }
        assert_eq!(
            event,
            json!({
                "exception": { "values": [{ "type": "request", "value": "internal" }] },
                "transaction": "/api/v1/patients/{id}",
                "fingerprint": ["request", "internal", "/api/v1/patients/{id}"],
                "logger": "permanence-api",
                "environment": "test",
                "tags": { "fault": "request", "status": "500", "code": "internal", "method": "GET",
                    "request_id": "01a1", "route": "/api/v1/patients/{id}" },
            })
        );
    }

    #[tokio::test]
    async fn faults_without_end_are_some_reports() {
        let (received, config) = server().await;
        let telemetry = Telemetry::new(config);
        within(&telemetry, || {
            for id in 0..1_000_i64 {
                tracing::error!(target: trace::FAULTS, fault = "dead_job", kind = "stock.watch", id, code = "lost");
            }
        });
        telemetry.end().await;
        assert_eq!(received.lock().unwrap().len(), 20);
    }

    #[tokio::test]
    async fn what_goes_to_traces_and_reports_is_not_logged() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(log.clone());
        let subscriber = tracing_subscriber::registry().with(logs(LogFormat::Json, move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let _work = tracing::info_span!("job", id = 7, trace_id = "4bf9").entered();
            let _span =
                tracing::info_span!(target: trace::SPANS, "hand over", otel.kind = "client").entered();
            tracing::error!(target: trace::FAULTS, fault = "dead_job");
            tracing::info!("sent");
        });
        let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(&log).expect("one line");
        assert_eq!(line["span"], json!({ "id": 7, "trace_id": "4bf9", "name": "job" }), "{line}");
    }

    #[derive(Clone)]
    struct Writer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
