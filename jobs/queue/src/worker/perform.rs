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
use tracing::Instrument;

use super::{Handler, hold::Hold};
use crate::{Claimed, Failure, Outcome};

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
    let span = tracing::info_span!("job", id = job.id.0, kind = %job.kind, attempt = job.attempt);
    let cancelled = token.clone();
    let run = async move { handler.perform(job, cancelled).await };
    let mut run = AbortOnDropHandle::new(tokio::spawn(run.instrument(span)));
    tokio::select! {
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
    }
}

fn broken(error: &JoinError) -> Outcome {
    if error.is_panic() {
        return Outcome::Retry(Failure::panicked());
    }
    Outcome::Retry(Failure::new("aborted", "the runtime stopped the handler"))
}
