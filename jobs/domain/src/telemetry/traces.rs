//! Spans to a collector, by OTLP over HTTP. They wait in a queue of fixed length, whose thread sends them in batches: a collector
//! that is away costs spans, and never a request.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use permanence_queue::trace;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    registry::LookupSpan,
};

use super::{config::TracesConfig, http};

/// How long the end of the process waits for the last spans.
const LAST_FLUSH: Duration = Duration::from_secs(3);

/// The exporter of this process' spans.
#[derive(Debug)]
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    pub(super) fn start(config: TracesConfig) -> Option<Self> {
        let http = http::client(&config.endpoint, config.timeout)?;
        let collector = Collector { http, runtime: Handle::current(), away: AtomicBool::new(false) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(config.endpoint.as_str())
            .with_timeout(config.timeout)
            .build()
            .inspect_err(|error| tracing::error!(%error, "no traces are exported"))
            .ok()?;
        let resource = Resource::builder()
            .with_service_name(config.service)
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        Some(Self(
            SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_sampler(config.sampler)
                .with_resource(resource)
                .build(),
        ))
    }

    /// Sees the spans of [`trace::SPANS`] and nothing else: what libraries put into theirs is not known.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("permanence"))
            // Where in the code and on which thread tells an operator nothing, and makes spans twice as large.
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(trace::SPANS, LevelFilter::INFO))
    }

    pub(super) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_FLUSH)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("the last spans were not taken");
        }
    }
}

/// Posts batches from the exporter's thread on the process' own runtime, and tells once that the collector is away.
#[derive(Debug)]
struct Collector {
    http: reqwest::Client,
    runtime: Handle,
    away: AtomicBool,
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request.map(reqwest::Body::from))?;
        let http = self.http.clone();
        let exchange = async move {
            let answer = http.execute(request).await?;
            let status = answer.status();
            // A collector has nothing to say that would be read but how it went.
            Ok::<_, reqwest::Error>(status)
        };
        let status = match self.runtime.spawn(exchange).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => {
                self.note(false, None);
                return Err(error.without_url().into());
            }
            Err(error) => return Err(error.into()),
        };
        self.note(status.is_success(), Some(status.as_u16()));
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}

impl Collector {
    fn note(&self, taken: bool, status: Option<u16>) {
        let outcome = if taken { "taken" } else { "lost" };
        ::metrics::counter!("permanence_trace_batches_total", "outcome" => outcome).increment(1);
        if self.away.swap(!taken, Ordering::Relaxed) == taken {
            if taken {
                tracing::info!("the collector of traces takes spans again");
            } else {
                tracing::warn!(status, "the collector of traces takes no spans; they are lost until it does");
            }
        }
    }
}
