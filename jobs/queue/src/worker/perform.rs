//! Runs the handler in a task of its own, so that a panic, a timeout or a hang concerns one job only.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::task::Task;
use futures::future::BoxFuture;
use tokio::{task::JoinError, time::sleep};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tower::Service;
use tracing::{Instrument, Span, field::Empty};

use super::{Handler, hold::Hold};
use crate::{Claimed, Failure, Outcome, trace};

/// How a run ended, for the report.
pub(super) enum Ended {
    As(Outcome),
    /// The worker stopped before the handler did.
    HandedBack,
}

pub(super) struct Perform<H> {
    pub(super) handler: Arc<H>,
    pub(super) hold: Arc<Hold>,
}

impl<H: Handler> Service<Task<Claimed>> for Perform<H> {
    type Response = Ended;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Ended, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Claimed>) -> Self::Future {
        let handler = Arc::clone(&self.handler);
        let hold = Arc::clone(&self.hold);
        Box::pin(async move {
            let token = hold.begin(task.args.lease);
            Ok(perform(handler, task.args, token, hold.force.clone()).await)
        })
    }
}

async fn perform<H: Handler>(
    handler: Arc<H>,
    job: Claimed,
    token: CancellationToken,
    force: CancellationToken,
) -> Ended {
    if job.cancel_requested {
        return Ended::As(Outcome::Cancel("cancelled between two attempts".to_owned()));
    }
    let timeout = job.timeout;
    let (trace, span) = spans(&job);
    let cancelled = token.clone();
    let run = async move { handler.perform(job, cancelled).await };
    let mut run = AbortOnDropHandle::new(tokio::spawn(run.instrument(span).instrument(trace.clone())));
    let ended = tokio::select! {
        // An outcome counts even if it came with the last breath.
        biased;
        ended = &mut run => Ended::As(ended.unwrap_or_else(|error| broken(&error))),
        () = sleep(timeout) => {
            token.cancel();
            Ended::As(Outcome::Retry(Failure::timed_out(timeout)))
        }
        () = force.cancelled() => {
            token.cancel();
            Ended::HandedBack
        }
    };
    note(&trace, &ended);
    ended
}

/// The run in its trace, which goes on from where the job was enqueued, and the run in the log.
fn spans(job: &Claimed) -> (Span, Span) {
    let trace = tracing::info_span!(
        target: trace::SPANS,
        "job",
        otel.name = %job.kind,
        otel.kind = "consumer",
        otel.status_code = Empty,
        messaging.system = "permanence",
        messaging.destination.name = job.queue,
        messaging.message.id = job.id.0,
        permanence.job.kind = %job.kind,
        permanence.job.attempt = job.attempt,
        permanence.job.outcome = Empty,
        permanence.job.code = Empty,
        permanence.tenant_id = job.tenant.map(tracing::field::display),
    );
    trace::follow(&trace, job.traceparent.as_deref());
    let span =
        tracing::info_span!("job", id = job.id.0, kind = %job.kind, attempt = job.attempt, trace_id = Empty);
    if let Some(id) = trace::id(&trace) {
        span.record("trace_id", id);
    }
    (trace, span)
}

/// Notes in the trace how a run ended: by its word and its code, never by a message.
fn note(trace: &Span, ended: &Ended) {
    let (outcome, failure) = match ended {
        Ended::HandedBack => ("handed_back", None),
        Ended::As(outcome) => (outcome.name(), outcome.failure()),
    };
    trace.record("permanence.job.outcome", outcome);
    if let Some(failure) = failure {
        trace.record("permanence.job.code", &*failure.code);
        trace.record("otel.status_code", "ERROR");
    }
}

fn broken(error: &JoinError) -> Outcome {
    if error.is_panic() {
        return Outcome::Retry(Failure::panicked());
    }
    Outcome::Retry(Failure::new("aborted", "the runtime stopped the handler"))
}
