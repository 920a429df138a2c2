//! The outermost layer: whatever happens to a run, its job's fate is reported, even if the run is dropped.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use apalis_core::{error::BoxDynError, task::Task};
use futures::future::BoxFuture;
use tower::{Layer, Service};

use super::{
    hold::{Ending, Hold},
    perform::Ended,
};
use crate::{Claimed, Failure, JobId, Lease, Outcome, settle::Fate, trace};

#[derive(Clone)]
pub(super) struct ReportLayer {
    pub(super) hold: Arc<Hold>,
}

impl<S> Layer<S> for ReportLayer {
    type Service = Report<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Report { inner, hold: Arc::clone(&self.hold) }
    }
}

pub(super) struct Report<S> {
    inner: S,
    hold: Arc<Hold>,
}

impl<S> Service<Task<Claimed>> for Report<S>
where
    S: Service<Task<Claimed>, Response = Ended>,
    S::Future: Send + 'static,
    S::Error: Into<BoxDynError>,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Claimed>) -> Self::Future {
        let job = &task.args;
        metrics::counter!("permanence_queue_started_total", "queue" => job.queue, "kind" => job.kind.clone())
            .increment(1);
        self.hold.pace.start();
        let mut open = OpenRun {
            hold: Arc::clone(&self.hold),
            lease: job.lease,
            kind: job.kind.clone(),
            batch: job.batch,
            last: job.attempt >= job.max_attempts,
            started: Instant::now(),
            reported: false,
        };
        let run = self.inner.call(task);
        Box::pin(async move {
            let ended = match run.await {
                Ok(ended) => ended,
                Err(_) => {
                    Ended::As(Outcome::Retry(Failure::new("runtime_failed", "the worker runtime failed")))
                }
            };
            open.report(ended);
            Ok(())
        })
    }
}

/// Reports a job that nobody will run again: by ids and codes, for its failure's message may say more.
fn dead(lease: Lease, kind: &str, code: &str) {
    tracing::error!(target: trace::FAULTS, fault = "dead_job", queue = lease.queue, kind, id = lease.job.0, code);
}

/// A run whose end is not reported yet; if apalis drops it, the job is handed back.
struct OpenRun {
    hold: Arc<Hold>,
    lease: Lease,
    kind: String,
    batch: Option<JobId>,
    last: bool,
    started: Instant,
    reported: bool,
}

impl OpenRun {
    fn report(&mut self, ended: Ended) {
        self.reported = true;
        let cancelled = self.hold.over(self.lease);
        let mut follow_ups = Vec::new();
        let (fate, outcome) = match ended {
            Ended::HandedBack => (Some(Fate::handed_back()), "handed_back"),
            Ended::As(mut outcome) => {
                if let Outcome::DoneThen(_, jobs) = &mut outcome {
                    follow_ups = std::mem::take(jobs);
                }
                let fate = Fate::of(outcome, self.last, cancelled);
                if let Some(code) = fate.as_ref().and_then(Fate::dead_of) {
                    dead(self.lease, &self.kind, code);
                }
                let name = fate.as_ref().map_or("completed", Fate::name);
                (fate, name)
            }
        };
        let labels = [("queue", self.lease.queue.to_owned()), ("kind", std::mem::take(&mut self.kind))];
        metrics::histogram!("permanence_queue_run_seconds", &labels).record(self.started.elapsed());
        let [queue, kind] = labels;
        metrics::counter!("permanence_queue_runs_total", &[queue, kind, ("outcome", outcome.to_owned())])
            .increment(1);
        if matches!(outcome, "completed" | "cancelled" | "discarded") {
            self.hold.pace.finish();
        }
        self.hold.ran(self.started.elapsed());
        self.hold.end(Ending { lease: self.lease, fate, follow_ups, batch: self.batch });
    }
}

impl Drop for OpenRun {
    fn drop(&mut self) {
        if !self.reported {
            self.report(Ended::HandedBack);
        }
    }
}
