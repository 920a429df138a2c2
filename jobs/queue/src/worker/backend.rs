//! The queue as apalis sees it: a backend that yields claimed jobs and a layer that reports how each run ended.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::Task,
    worker::context::WorkerContext,
};

use super::{hold::Hold, report::ReportLayer};
use crate::{Claimed, JobId};

/// Yields the jobs that the fetcher claimed. Database errors never surface here: they pause the fetcher and the
/// flusher, and never end the worker.
pub(super) struct QueueBackend {
    pub(super) hold: Arc<Hold>,
}

impl Backend for QueueBackend {
    type Task = Task<Claimed>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        self.hold.poll_pop(cx).map(|job| Some(Ok(Task::new(job))))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _worker: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        self.hold.hand_back_ready();
        self.hold.poll_settled(cx).map(Ok)
    }
}

impl BackendConfig for QueueBackend {
    type Args = Claimed;
    type Id = JobId;
    /// Jobs come decoded; keeping them is our own tables' work.
    type Kind = Ephemeral;
    type Config = ();
    type Layer = ReportLayer;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Self::Layer {
        ReportLayer { hold: Arc::clone(&self.hold) }
    }
}
