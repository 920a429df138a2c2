//! What a worker holds: jobs claimed and not yet settled. The fetcher fills it, apalis performs from it, the flusher
//! empties it, and the pulse cancels in it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures::task::AtomicWaker;
use sqlx::types::Uuid;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    Claimed, JobId, Lease,
    settle::{Fate, Settled},
};

pub(super) struct Hold {
    /// Claimed, waiting for a free slot.
    ready: Mutex<VecDeque<Claimed>>,
    running: Mutex<HashMap<(JobId, i32), Run>>,
    /// Claimed and not ended yet: what the fetcher may not exceed.
    open: AtomicUsize,
    /// Claimed and not settled in the database yet: what closing waits for.
    unsettled: AtomicUsize,
    ended: mpsc::UnboundedSender<Settled>,
    process: Mutex<Uuid>,
    /// Rings when a slot is free.
    pub(super) freed: Notify,
    /// The grace is over: what still runs is handed back.
    pub(super) force: CancellationToken,
    /// The database did not come back in time: what is not settled is left to the rescuers.
    give_up: CancellationToken,
    apalis: AtomicWaker,
}

struct Run {
    token: CancellationToken,
    cancel_requested: bool,
}

impl Hold {
    pub(super) fn new(process: Uuid) -> (Self, mpsc::UnboundedReceiver<Settled>) {
        let (ended, endings) = mpsc::unbounded_channel();
        let hold = Self {
            ready: Mutex::default(),
            running: Mutex::default(),
            open: AtomicUsize::new(0),
            unsettled: AtomicUsize::new(0),
            ended,
            process: Mutex::new(process),
            freed: Notify::new(),
            force: CancellationToken::new(),
            give_up: CancellationToken::new(),
            apalis: AtomicWaker::new(),
        };
        (hold, endings)
    }

    pub(super) fn process(&self) -> Uuid {
        *lock(&self.process)
    }

    /// The process was declared dead and starts anew: what it held is no longer its own.
    pub(super) fn reborn(&self, process: Uuid) {
        *lock(&self.process) = process;
        let lost = std::mem::take(&mut *lock(&self.ready));
        for job in lost {
            self.end(job.lease, None);
        }
        for run in lock(&self.running).values() {
            run.token.cancel();
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn nothing_ready(&self) -> bool {
        lock(&self.ready).is_empty()
    }

    pub(super) fn push(&self, mut jobs: Vec<Claimed>) {
        // A claim may have been on its way while its process was declared dead.
        let process = self.process();
        jobs.retain(|job| job.lease.process == process);
        self.open.fetch_add(jobs.len(), Ordering::SeqCst);
        self.unsettled.fetch_add(jobs.len(), Ordering::SeqCst);
        lock(&self.ready).extend(jobs);
        self.apalis.wake();
    }

    pub(super) fn poll_pop(&self, cx: &Context<'_>) -> Poll<Claimed> {
        // Registered before the look, so that a push in between wakes us.
        self.apalis.register(cx.waker());
        lock(&self.ready).pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    /// The run starts; its handler sees cancellation through the token.
    pub(super) fn begin(&self, lease: Lease) -> CancellationToken {
        let token = CancellationToken::new();
        let run = Run { token: token.clone(), cancel_requested: false };
        lock(&self.running).insert((lease.job, lease.number), run);
        token
    }

    /// Asks runs to stop.
    pub(super) fn cancel(&self, runs: &[(JobId, i32)]) {
        let mut running = lock(&self.running);
        for key in runs {
            if let Some(run) = running.get_mut(key) {
                run.cancel_requested = true;
                run.token.cancel();
            }
        }
    }

    /// The run is over; answers whether someone had asked for its cancellation.
    pub(super) fn over(&self, lease: Lease) -> bool {
        lock(&self.running).remove(&(lease.job, lease.number)).is_some_and(|run| run.cancel_requested)
    }

    /// Passes the job's fate on to the flusher; without one the handler settled it already.
    pub(super) fn end(&self, lease: Lease, fate: Option<Fate>) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.freed.notify_one();
        match fate {
            // The flusher outlives every sender but at the very end, when nobody waits for it.
            Some(fate) => drop(self.ended.send(Settled { lease, fate })),
            None => self.settled(1),
        }
    }

    pub(super) fn settled(&self, jobs: usize) {
        self.unsettled.fetch_sub(jobs, Ordering::SeqCst);
        self.apalis.wake();
    }

    /// Hands back what was claimed and never started.
    pub(super) fn hand_back_ready(&self) {
        let jobs = std::mem::take(&mut *lock(&self.ready));
        for job in jobs {
            self.end(job.lease, Some(Fate::handed_back()));
        }
    }

    pub(super) fn give_up(&self) {
        self.give_up.cancel();
        self.apalis.wake();
    }

    pub(super) fn poll_settled(&self, cx: &Context<'_>) -> Poll<()> {
        self.apalis.register(cx.waker());
        if self.unsettled.load(Ordering::SeqCst) == 0 || self.give_up.is_cancelled() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

// Nothing panics under these locks; a poisoned one still holds sound data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
