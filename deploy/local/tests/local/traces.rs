//! A request followed into its jobs, at a collector that speaks OTLP for real; and a platform whose collector is away.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;

use crate::program::{ASSISTANT, Caller, Program, booking_for_soon, start_with};

/// What a collector was sent.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

impl Collected {
    /// Listens, and answers where.
    async fn start() -> (Self, String) {
        let collected = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/v1/traces", post(take)).with_state(collected.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (collected, address)
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.0.lock().expect("a lock");
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    /// The spans of a trace, by name, once all of these are there.
    async fn trace(&self, trace: &str, names: &[&str]) -> HashMap<String, Span> {
        let complete = async {
            loop {
                let of_trace = |span: &Span| hex::encode(&span.trace_id) == trace;
                let spans: HashMap<String, Span> =
                    self.spans().into_iter().filter(of_trace).map(|span| (span.name.clone(), span)).collect();
                if names.iter().all(|name| spans.contains_key(*name)) {
                    return spans;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), complete).await.unwrap_or_else(|_| {
            let names: Vec<String> = self.spans().into_iter().map(|span| span.name).collect();
            panic!("never whole: {names:?}")
        })
    }
}

async fn take(State(collected): State<Collected>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).expect("spans");
    collected.0.lock().expect("a lock").push(request);
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn start(folder: &Path, collector: &str) -> Program {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    start_with(folder, &variables)
}

#[tokio::test]
async fn a_booking_is_one_trace_from_the_request_to_the_provider() {
    let folder = tempfile::tempdir().expect("a folder");
    let (collected, collector) = Collected::start().await;
    let program = start(folder.path(), &collector);
    let (caller, booking) = booking_for_soon(&program).await;
    let request = caller.http.post(format!("{}/api/v1/appointments", program.address));
    let answer = request
        .bearer_auth(&caller.token)
        .header("idempotency-key", "k")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .json(&booking)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 201);
    let told = answer.headers()["traceparent"].to_str().expect("text").to_owned();

    let names = [
        "POST /api/v1/appointments",
        "enqueue",
        "notifications.send_message",
        "hand over sms",
        "transaction",
    ];
    let spans = collected.trace(TRACE, &names).await;
    let [request, enqueue, job, provider] = [0, 1, 2, 3].map(|place| &spans[names[place]]);
    assert_eq!(
        told,
        format!("00-{TRACE}-{}-01", hex::encode(&request.span_id)),
        "answered as it is recorded"
    );
    assert_eq!(hex::encode(&request.parent_span_id), "00f067aa0ba902b7", "it began with the caller");
    assert_eq!(job.parent_span_id, enqueue.span_id, "the job goes on from where it was enqueued");
    assert_eq!(provider.parent_span_id, job.span_id);
    let kinds = [request, enqueue, job, provider].map(Span::kind);
    assert_eq!(kinds, [SpanKind::Server, SpanKind::Producer, SpanKind::Consumer, SpanKind::Client]);
    program.interrupt();

    let all = format!("{:?}", collected.0.lock().expect("a lock"));
    assert!(all.contains("permanence") && all.contains("http.route"));
    for personal in ["Duval", "Éloi", "600000099", "Bonjour1", "cabinet-lilas", "INSERT", "Rappel"] {
        assert!(!all.contains(personal), "{personal}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nothing_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = start(folder.path(), "http://127.0.0.1:9");
    let assistant = Caller::sign_in(&program, ASSISTANT).await;
    for _ in 0..50 {
        assert!(assistant.get("patients?limit=1").await["total"].as_i64() > Some(0));
    }
    let told = Instant::now();
    program.interrupt();
    assert!(told.elapsed() < Duration::from_secs(25), "it ends within its grace");
}
