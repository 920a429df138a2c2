//! The trace that work belongs to, from where it is asked for to where it is performed: W3C Trace Context, kept with the job.
//! It holds ids and never content, and costs nothing where nobody traces.
//!
//! Spans of [`SPANS`] go to the traces alone and events of [`FAULTS`] to the error reports alone; neither is logged.

use std::collections::HashMap;

use opentelemetry::{Context, propagation::TextMapPropagator, trace::TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of spans that are exported as traces. Their fields are named as OpenTelemetry's conventions have it.
pub const SPANS: &str = "permanence::trace";

/// The target of events that are reported as faults: codes, ids and places in the code, never a message.
pub const FAULTS: &str = "permanence::fault";

/// The header and the column.
pub const TRACEPARENT: &str = "traceparent";

/// Where whatever runs now stands in its trace, as a `traceparent`; none where nobody traces.
#[must_use]
pub fn current() -> Option<String> {
    written(&Context::current())
}

/// Where a span stands in its trace.
#[must_use]
pub fn of(span: &Span) -> Option<String> {
    written(&span.context())
}

/// The id of a span's trace, by which it is found.
#[must_use]
pub fn id(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    span.span_context().is_valid().then(|| span.span_context().trace_id().to_string())
}

/// Makes a span that has not begun the child of another process'. What is no `traceparent` changes nothing.
pub fn follow(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent.filter(|_| !span.is_disabled()) else { return };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    if parent.span().span_context().is_valid() {
        // Refused where no traces are exported, and then there is nothing to follow.
        let _ = span.set_parent(parent);
    }
}

fn written(context: &Context) -> Option<String> {
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(context, &mut carrier);
    carrier.remove(TRACEPARENT)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn traced(test: impl FnOnce()) {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        // With one subscriber alone, another test's thread that meets a span first asks its own, finds none, and nobody sees the span.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), test);
    }

    fn span() -> Span {
        tracing::info_span!(target: SPANS, "work")
    }

    #[test]
    fn a_trace_goes_on_from_one_process_to_the_next() {
        traced(|| {
            let request = span();
            follow(&request, Some(GIVEN));
            let written = request.in_scope(current).expect("a traceparent");
            assert_eq!(written.len(), GIVEN.len());
            assert_eq!(of(&request).as_deref(), Some(&*written));
            let job = span();
            follow(&job, Some(&written));
            assert_eq!(id(&job).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
            assert_ne!(of(&job), Some(written), "a span of its own");
        });
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace() {
        traced(|| {
            for wrong in ["", "héron", "00-4bf9-00f067aa0ba902b7-01", &GIVEN.replace('4', "0")] {
                let request = span();
                follow(&request, Some(wrong));
                assert_ne!(id(&request).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"), "{wrong}");
                assert!(id(&request).is_some());
            }
        });
    }

    #[test]
    fn where_nobody_traces_there_is_none() {
        let request = span();
        follow(&request, Some(GIVEN));
        assert_eq!((request.in_scope(current), of(&request), id(&request)), (None, None, None));
    }
}
