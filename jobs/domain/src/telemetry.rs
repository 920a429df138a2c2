//! Logs as JSON lines on standard error, with request and job ids and no personal data; metrics for Prometheus
//! (docs/LOGGING.md).

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

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

/// Starts logging; `RUST_LOG` chooses what, `info` where it is absent or empty. A second call changes nothing.
pub fn init(format: LogFormat) {
    // The library takes an empty variable for "errors alone".
    let wanted = std::env::var("RUST_LOG").ok().filter(|wanted| !wanted.trim().is_empty());
    let filter = wanted
        .and_then(|wanted| EnvFilter::try_new(wanted).ok())
        .unwrap_or_else(|| EnvFilter::new(DEFAULT_FILTER));
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        LogFormat::Text => {
            registry.with(fmt::layer().compact().with_target(false).with_writer(std::io::stderr)).try_init()
        }
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}

/// Upper bounds of the histograms, seconds: from a cached read to a job of a minute. Buckets add up across processes,
/// quantiles do not.
const SECONDS: [f64; 14] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];

/// The same for jobs and messages: they may run for minutes, and wait for as long as their queue is paused.
const JOB_SECONDS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0];

/// How long a gauge is shown that nobody sets any more: what is not known is absent, not old.
const GAUGES_LAST: Duration = Duration::from_mins(5);

/// The recorder of this process's metrics, to be installed with or without a listener.
pub fn prometheus() -> Result<PrometheusBuilder, BuildError> {
    let of_jobs = Matcher::Prefix("permanence_queue_".to_owned());
    let of_views = Matcher::Prefix("permanence_view_".to_owned());
    let lateness = Matcher::Full("permanence_message_lateness_seconds".to_owned());
    Ok(PrometheusBuilder::new()
        .set_buckets(&SECONDS)?
        .set_buckets_for_metric(of_jobs, &JOB_SECONDS)?
        .set_buckets_for_metric(of_views, &JOB_SECONDS)?
        .set_buckets_for_metric(lateness, &JOB_SECONDS)?
        .idle_timeout(MetricKindMask::GAUGE, Some(GAUGES_LAST)))
}

/// Records this process's metrics for somebody who renders them. Must run inside the runtime.
pub fn record_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = prometheus()?.install_recorder()?;
    let kept = handle.clone();
    tokio::spawn(async move {
        // Without upkeep the samples pile up for as long as nobody asks for them.
        let mut every = tokio::time::interval(Duration::from_secs(5));
        loop {
            every.tick().await;
            kept.run_upkeep();
        }
    });
    Ok(handle)
}
