//! Claims jobs for the worker: at once when woken, when a slot is freed, or when a look found some.
//! One loop decides everything, so an idle worker asks the database once a second.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Config, hold::Hold};
use crate::{
    Claimed, Error,
    claim::{self, Claimant, Place, TOP},
    promote,
};

/// How long a claim whose answer was lost may still be executed by the server, and so must be watched for.
const DOUBT: Duration = Duration::from_mins(2);
/// How much work is claimed ahead of the slots, where runs are short enough for that to be any jobs at all.
const AHEAD: Duration = Duration::from_millis(100);
const MOST_AHEAD: usize = 2000;
/// How long a job that was claimed ahead waits for a slot before other processes may have it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// A claim that takes this long wades through entries of jobs that are gone but cannot be cleaned up yet, because
/// some transaction is held open. Those that follow start where it stopped, for `REST` times as long as it took.
const SLOW_CLAIM: Duration = Duration::from_millis(20);
const REST: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Fetcher {
    pool: PgPool,
    config: Arc<Config>,
    hold: Arc<Hold>,
    wakes: Option<watch::Receiver<u64>>,
    time: Option<watch::Receiver<DateTime<Utc>>>,
    /// There may be more to claim than the last claim took.
    hungry: bool,
    /// The queue's claims go by lanes.
    lanes: bool,
    /// Where the last claim stopped, and until when the next ones start there.
    reached: Place,
    until: Instant,
    poll: Duration,
    next_look: Instant,
    claims: i32,
    doubtful: Vec<(Instant, i32)>,
    pause: Duration,
}

impl Fetcher {
    pub(super) fn new(pool: PgPool, config: Arc<Config>, hold: Arc<Hold>) -> Self {
        let wakes = config.listener.as_ref().map(|listener| listener.subscribe(config.queue));
        let time = config.clock.changes();
        let fastest = config.poll_fastest;
        Self {
            pool,
            config,
            hold,
            wakes,
            time,
            hungry: true,
            lanes: false,
            reached: TOP,
            until: Instant::now(),
            poll: fastest,
            next_look: Instant::now(),
            claims: 0,
            doubtful: Vec::new(),
            pause: FIRST_PAUSE,
        }
    }

    /// Claims until shutdown, then hands back what was never started.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            match self.step().await {
                Ok(true) => self.pause = FIRST_PAUSE,
                Ok(false) => {
                    self.pause = FIRST_PAUSE;
                    self.wait(&shutdown).await;
                }
                Err(error) => {
                    tracing::warn!(%error, queue = self.config.queue, "the queue's database failed; pausing");
                    metrics::counter!("permanence_queue_database_errors_total", "queue" => self.config.queue)
                        .increment(1);
                    tokio::select! {
                        () = sleep(self.pause) => self.pause = (self.pause * 2).min(LONGEST_PAUSE),
                        () = shutdown.cancelled() => {}
                    }
                }
            }
        }
        self.hold.hand_back_ready();
        if let Err(error) = self.undo_doubtful().await {
            tracing::warn!(%error, "claims in doubt are left to the rescuers");
        }
    }

    /// Does what is to do now; false if there is nothing.
    async fn step(&mut self) -> Result<bool, Error> {
        if self.next_look <= Instant::now() {
            self.look().await?;
        }
        let free = self.free();
        if !self.hungry || free == 0 {
            return Ok(false);
        }
        self.claim(free).await?;
        Ok(true)
    }

    /// How many jobs to claim now. While jobs are ready it waits for a batch worth its round trip.
    fn free(&self) -> usize {
        let capacity = self.config.concurrency + self.ahead();
        let free = capacity.saturating_sub(self.hold.open());
        if free * 2 < capacity && !self.hold.nothing_ready() { 0 } else { free }
    }

    /// How many jobs to claim beyond the free slots: none where a limit or a rate counts what was claimed.
    fn ahead(&self) -> usize {
        if self.lanes {
            return 0;
        }
        let short = || self.hold.runs_within(AHEAD, self.config.concurrency).min(MOST_AHEAD);
        self.config.prefetch.unwrap_or_else(short)
    }

    async fn look(&mut self) -> Result<(), Error> {
        self.undo_doubtful().await?;
        if self.hold.stalled(LONGEST_WAIT) {
            self.hold.hand_back_stalled(LONGEST_WAIT);
        }
        // Who knows that there is work need not look for it.
        let look = promote::promote(&self.pool, &*self.config.clock, self.config.queue, !self.hungry).await?;
        if look.promoted >= promote::BATCH {
            self.next_look = Instant::now();
        } else {
            self.poll = if self.hungry || look.available {
                self.config.poll_fastest
            } else {
                (self.poll * 2).min(self.config.poll_slowest)
            };
            // Under a simulated clock the next due time comes with a change of the clock, not by waiting.
            let due = look.next_due.filter(|_| self.time.is_none());
            self.next_look = Instant::now() + due.map_or(self.poll, |due| due.min(self.poll));
        }
        self.hungry |= look.available;
        self.lanes = look.lanes;
        Ok(())
    }

    async fn claim(&mut self, limit: usize) -> Result<(), Error> {
        self.claims = self.claims.wrapping_add(1);
        let (queue, clock) = (self.config.queue, &*self.config.clock);
        let by = Claimant { queue, process: self.hold.process(), number: self.claims };
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX);
        let begun = Instant::now();
        let after = if begun < self.until { self.reached } else { TOP };
        let claimed = if self.lanes {
            claim::claim_in_lanes(&self.pool, clock, by, wanted).await
        } else {
            claim::claim(&self.pool, clock, by, after, wanted).await
        };
        let jobs = match claimed {
            Ok(jobs) => jobs,
            Err(error) => {
                // The server may have executed it all the same, now or later.
                self.doubtful.push((Instant::now(), self.claims));
                return Err(error);
            }
        };
        self.hungry = jobs.len() == limit;
        self.remember(begun, after, jobs.last());
        if !jobs.is_empty() {
            self.poll = self.config.poll_fastest;
            for job in &jobs {
                let wait = (job.started_at - job.run_at.max(job.enqueued_at)).to_std().unwrap_or_default();
                let labels = [("queue", queue.to_owned()), ("kind", job.kind.clone())];
                metrics::histogram!("permanence_queue_wait_seconds", &labels).record(wait);
            }
            self.hold.push(jobs);
        }
        Ok(())
    }

    /// Decides where the next claim starts. Jobs that come before that place wait the longer for it, which is at most
    /// `REST` times what one slow claim took.
    fn remember(&mut self, begun: Instant, after: Place, last: Option<&Claimed>) {
        let took = begun.elapsed();
        if after == TOP && took >= SLOW_CLAIM {
            self.until = Instant::now() + took * REST;
        }
        if let Some(last) = last {
            self.reached = (last.priority, last.id.0);
        } else if after == TOP {
            self.reached = TOP;
        } else {
            // Nothing further on; only a look from the top, which is dear until then, finds out more.
            self.next_look = self.until;
        }
    }

    async fn undo_doubtful(&mut self) -> Result<(), Error> {
        if self.doubtful.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i32> = self.doubtful.iter().map(|(_, number)| *number).collect();
        let mut connection = self.pool.acquire().await?;
        claim::undo(&mut connection, self.config.queue, self.hold.process(), &numbers).await?;
        self.doubtful.retain(|(since, _)| since.elapsed() < DOUBT);
        Ok(())
    }

    async fn wait(&mut self, shutdown: &CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = changed(&mut self.wakes) => self.hungry = true,
            () = changed(&mut self.time) => self.next_look = Instant::now(),
            () = self.hold.freed.notified(), if self.hungry || self.lanes => self.hungry = true,
            () = sleep_until(self.next_look) => {}
        }
    }
}

/// Waits for a change; for ever if there is nothing that could change.
async fn changed<T>(receiver: &mut Option<watch::Receiver<T>>) {
    if let Some(receiver) = receiver
        && receiver.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}
