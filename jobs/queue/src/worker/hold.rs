//! What a worker holds: jobs claimed and not yet settled. The fetcher fills it, apalis performs from it, the flusher
//! empties it, and the pulse cancels in it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::task::AtomicWaker;
use sqlx::types::Uuid;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use crate::{Claimed, JobId, Lease, NewJob, settle::Fate};

/// A run that is over, on its way to the database.
pub(super) struct Ending {
    pub(super) lease: Lease,
    /// What becomes of the job; none if its handler completed it.
    pub(super) fate: Option<Fate>,
    /// What is enqueued with its completion.
    pub(super) follow_ups: Vec<NewJob>,
    /// The batch that may be over now.
    pub(super) batch: Option<JobId>,
}

impl Ending {
    fn handed_back(job: &Claimed) -> Self {
        Self { lease: job.lease, fate: Some(Fate::handed_back()), follow_ups: Vec::new(), batch: None }
    }
}

pub(super) struct Hold {
    /// Claimed, waiting for a free slot.
    ready: Mutex<VecDeque<Claimed>>,
    running: Mutex<HashMap<(JobId, i32), Run>>,
    /// Claimed and not ended yet: what the fetcher may not exceed.
    open: AtomicUsize,
    /// Claimed and not settled in the database yet: what closing waits for.
    unsettled: AtomicUsize,
    ended: mpsc::UnboundedSender<Ending>,
    process: Mutex<Uuid>,
    /// Rings when a slot is free.
    pub(super) freed: Notify,
    /// The grace is over: what still runs is handed back.
    pub(super) force: CancellationToken,
    /// The database did not come back in time: what is not settled is left to the rescuers.
    give_up: CancellationToken,
    apalis: AtomicWaker,
    /// How long a run takes, on average; zero until one has ended.
    mean_micros: AtomicU64,
    /// When a claimed job last found a slot.
    last_pop: Mutex<Instant>,
    /// What it does, for the heartbeat to tell.
    pub(super) pace: Pace,
}

struct Run {
    token: CancellationToken,
    cancel_requested: bool,
}

impl Hold {
    pub(super) fn new(process: Uuid) -> (Self, mpsc::UnboundedReceiver<Ending>) {
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
            mean_micros: AtomicU64::new(0),
            last_pop: Mutex::new(Instant::now()),
            pace: Pace::default(),
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
        for _ in lost {
            self.drop_lost();
        }
        for run in lock(&self.running).values() {
            run.token.cancel();
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// The jobs whose handlers run.
    pub(super) fn running(&self) -> Vec<i64> {
        lock(&self.running).keys().map(|(job, _)| job.0).collect()
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
        let mut ready = lock(&self.ready);
        if ready.is_empty() {
            *lock(&self.last_pop) = Instant::now();
        }
        ready.extend(jobs);
        drop(ready);
        self.apalis.wake();
    }

    pub(super) fn poll_pop(&self, cx: &Context<'_>) -> Poll<Claimed> {
        // Registered before the look, so that a push in between wakes us.
        self.apalis.register(cx.waker());
        let popped = lock(&self.ready).pop_front();
        popped.map_or(Poll::Pending, |job| {
            *lock(&self.last_pop) = Instant::now();
            Poll::Ready(job)
        })
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

    /// Passes the end of a run on to the flusher.
    pub(super) fn end(&self, ending: Ending) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.freed.notify_one();
        // The flusher outlives every sender but at the very end, when nobody waits for it.
        drop(self.ended.send(ending));
    }

    /// Lets go of a job that was claimed by a process declared dead: it is not ours to settle.
    fn drop_lost(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.freed.notify_one();
        self.settled(1);
    }

    /// Remembers how long runs take of late: an eighth of each new one.
    pub(super) fn ran(&self, time: Duration) {
        let new = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        // Of two at once, one may be lost; an average can bear it.
        let mean = self.mean_micros.load(Ordering::Relaxed);
        let next = if mean == 0 { new } else { mean - mean / 8 + new / 8 };
        self.mean_micros.store(next.max(1), Ordering::Relaxed);
    }

    /// How many jobs `slots` slots run in `time`, as far as is known.
    pub(super) fn runs_within(&self, time: Duration, slots: usize) -> usize {
        match self.mean_micros.load(Ordering::Relaxed) {
            0 => 0,
            mean => usize::try_from(time.as_micros() / u128::from(mean))
                .unwrap_or(usize::MAX)
                .saturating_mul(slots),
        }
    }

    /// Whether claimed jobs have waited so long for a slot that another process had better have them.
    pub(super) fn stalled(&self, longest: Duration) -> bool {
        let ready = lock(&self.ready);
        !ready.is_empty() && lock(&self.last_pop).elapsed() > longest
    }

    /// Claimed jobs go back, and no more are claimed ahead until runs are short again.
    pub(super) fn hand_back_stalled(&self, longest: Duration) {
        self.mean_micros.store(u64::try_from(longest.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.hand_back_ready();
    }

    pub(super) fn settled(&self, jobs: usize) {
        self.unsettled.fetch_sub(jobs, Ordering::SeqCst);
        // A limit may have room now.
        self.freed.notify_one();
        self.apalis.wake();
    }

    /// Hands back what was claimed and never started.
    pub(super) fn hand_back_ready(&self) {
        let jobs = std::mem::take(&mut *lock(&self.ready));
        for job in jobs {
            self.end(Ending::handed_back(&job));
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
