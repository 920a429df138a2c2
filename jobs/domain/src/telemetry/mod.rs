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

/// What goes out of a running process besides its log.
#[derive(Debug)]
#[must_use = "what waits to be sent is lost unless it is ended"]
pub struct Telemetry {
    traces: Option<Traces>,
    reports: Option<Reports>,
}

/// Starts logging, and what the environment asks for besides; must run inside the runtime. `RUST_LOG` chooses what is logged,
/// `info` where it is absent. `service` names the process in traces, unless `OTEL_SERVICE_NAME` does.
///
/// A wrong variable starts nothing here; it is told with all others by the process' own configuration.
pub fn init(format: LogFormat, service: &str) -> Telemetry {
    let config = TelemetryConfig::read(&mut Env::of_process(), service).unwrap_or_default();
    let telemetry = Telemetry::new(config);
    let logs = logs(format, std::io::stderr);
    if let Err(error) = tracing_subscriber::registry().with(logs).with(telemetry.layer()).try_init() {
        tracing::debug!(%error, "logging was started before");
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
    // Statements are logged by sqlx with their text only, and only slow ones at this level.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,apalis=warn,s3s=warn,tokio_cron_scheduler=warn"));
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
