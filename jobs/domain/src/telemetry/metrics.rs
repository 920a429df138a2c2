//! Metrics for Prometheus: the recorder and its buckets.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;

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
