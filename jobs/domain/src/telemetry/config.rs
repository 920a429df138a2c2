//! Whether traces and reports go anywhere, by the variables that OpenTelemetry and Sentry have made standard.

use std::{str::FromStr, time::Duration};

use opentelemetry_sdk::trace::Sampler;
use sentry_types::Dsn;
use url::Url;

use crate::config::{Env, http_url, parsed, under};

/// What a process tells besides its log and its metrics: nothing unless it is configured.
#[derive(Debug, Clone, Default)]
pub struct TelemetryConfig {
    /// Traces.
    pub traces: Option<TracesConfig>,
    /// Reports of faults.
    pub reports: Option<ReportsConfig>,
}

/// Where traces go, and which.
#[derive(Debug, Clone)]
pub struct TracesConfig {
    /// Where spans are posted.
    pub endpoint: Url,
    /// Names the process.
    pub service: String,
    /// Which traces are kept.
    pub sampler: Sampler,
    /// How long the collector may take for a batch.
    pub timeout: Duration,
}

/// Where faults are reported.
#[derive(Debug, Clone)]
pub struct ReportsConfig {
    /// The project at a Sentry or something that speaks its protocol.
    pub dsn: Dsn,
    /// Where this platform stands, such as `production`.
    pub environment: Option<String>,
    /// Names the process.
    pub service: String,
}

const PROTOCOLS: [&str; 3] =
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_EXPORTER"];
const SAMPLERS: &str = "always_on, always_off, traceidratio or one of these after parentbased_";

impl TelemetryConfig {
    /// Reads the `OTEL_…` variables, `SENTRY_DSN` and `SENTRY_ENVIRONMENT`, all of which may be absent; `None` means that a
    /// problem was noted.
    pub fn read(env: &mut Env, service: &str) -> Option<Self> {
        let service = env.get("OTEL_SERVICE_NAME").unwrap_or(service).to_owned();
        let traces = TracesConfig::read(env, &service);
        let dsn = if env.get("SENTRY_DSN").is_none() {
            Some(None)
        } else {
            let accept = |text: &str| Dsn::from_str(text).is_ok();
            let dsn = env.secret("SENTRY_DSN", "a DSN such as https://key@sentry.example/1", accept);
            dsn.and_then(|dsn| parsed(dsn.expose())).map(Some)
        };
        let environment = env.get("SENTRY_ENVIRONMENT").map(str::to_owned);
        let reports = dsn?.map(|dsn| ReportsConfig { dsn, environment, service });
        Some(Self { traces: traces?, reports })
    }
}

impl TracesConfig {
    /// What is asked for, if anything is; `None` means that a problem was noted, as everywhere in configuration.
    #[expect(clippy::option_option, reason = "two questions: was it read, and is it wanted")]
    fn read(env: &mut Env, service: &str) -> Option<Option<Self>> {
        let off =
            env.get("OTEL_SDK_DISABLED") == Some("true") || env.get("OTEL_TRACES_EXPORTER") == Some("none");
        let named = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
            .into_iter()
            .find(|name| env.get(name).is_some())
            .filter(|_| !off);
        let Some(name) = named else { return Some(None) };
        let endpoint = env.required(name, "a URL such as http://collector:4318", http_url);
        // The variable for traces names the whole address, the general one what each signal's path follows.
        let whole = name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let endpoint = endpoint.map(|url| if whole { url } else { under(&url, "v1/traces") });
        for name in PROTOCOLS {
            let spoken = |text: &str| matches!(text, "http/protobuf" | "otlp").then_some(());
            env.or(name, (), "http/protobuf, which alone is spoken", spoken);
        }
        let sampler = sampler(env);
        let milliseconds = |text: &str| parsed(text).filter(|count| *count > 0).map(Duration::from_millis);
        let timeout = env.or(
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            Duration::from_secs(10),
            "a number of milliseconds",
            milliseconds,
        );
        Some(Some(Self {
            endpoint: endpoint?,
            service: service.to_owned(),
            sampler: sampler?,
            timeout: timeout?,
        }))
    }
}

/// Reads `OTEL_TRACES_SAMPLER` and its argument.
fn sampler(env: &mut Env) -> Option<Sampler> {
    let ratio = env.or("OTEL_TRACES_SAMPLER_ARG", 1.0, "a ratio from 0 to 1", |text| {
        parsed::<f64>(text).filter(|ratio| (0.0..=1.0).contains(ratio))
    });
    let root = |name: &str| match name {
        "always_on" => Some(Sampler::AlwaysOn),
        "always_off" => Some(Sampler::AlwaysOff),
        "traceidratio" => Some(Sampler::TraceIdRatioBased(ratio.unwrap_or(1.0))),
        _ => None,
    };
    let always = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
    env.or("OTEL_TRACES_SAMPLER", always, SAMPLERS, |text| match text.strip_prefix("parentbased_") {
        Some(name) => root(name).map(|root| Sampler::ParentBased(Box::new(root))),
        None => root(text),
    })
    .filter(|_| ratio.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<TelemetryConfig, Vec<String>> {
        let mut env = Env::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = TelemetryConfig::read(&mut env, "permanence-api");
        env.finish(config).map_err(|error| error.0)
    }

    #[test]
    fn nothing_goes_out_unless_it_is_asked_for() {
        let config = read(&[("OTEL_TRACES_SAMPLER", "always_on"), ("SENTRY_ENVIRONMENT", "test")]).unwrap();
        assert!(config.traces.is_none() && config.reports.is_none());
        let off = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"), ("OTEL_SDK_DISABLED", "true")];
        assert!(read(&off).unwrap().traces.is_none());
    }

    #[test]
    fn the_standard_variables_are_understood() {
        let config = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_SERVICE_NAME", "cabinet"),
            ("SENTRY_DSN", "https://key@sentry.example/7"),
        ])
        .unwrap();
        let traces = config.traces.unwrap();
        assert_eq!(traces.endpoint.as_str(), "http://collector:4318/v1/traces");
        assert_eq!(traces.service, "cabinet");
        assert_eq!(format!("{:?}", traces.sampler), "ParentBased(TraceIdRatioBased(0.25))");
        let url = config.reports.unwrap().dsn.envelope_api_url();
        assert_eq!(url.as_str(), "https://sentry.example/api/7/envelope/");
        let whole = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector/spans")];
        assert_eq!(read(&whole).unwrap().traces.unwrap().endpoint.as_str(), "http://collector/spans");
    }

    #[test]
    fn every_problem_is_told_and_no_key_is_shown() {
        let problems = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("SENTRY_DSN", "sentry.example/hunter2"),
        ])
        .unwrap_err();
        assert_eq!(
            problems,
            [
                "OTEL_EXPORTER_OTLP_ENDPOINT: read `collector:4317`, expected a URL such as http://collector:4318",
                "OTEL_EXPORTER_OTLP_PROTOCOL: read `grpc`, expected http/protobuf, which alone is spoken",
                "OTEL_TRACES_SAMPLER_ARG: read `2`, expected a ratio from 0 to 1",
                "OTEL_TRACES_SAMPLER: read `sometimes`, expected always_on, always_off, traceidratio or one of these \
                 after parentbased_",
                "SENTRY_DSN: read a secret of 22 characters, expected a DSN such as https://key@sentry.example/1",
            ]
        );
    }
}
