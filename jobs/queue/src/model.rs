//! The queue against an oracle in memory: whatever is done in whatever order, both must agree on every job.

use std::{collections::BTreeMap, time::Duration};

use permanence_embedded::testing::TestDatabase;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, migrate::Migrator, postgres::PgPoolOptions, types::Uuid};

use crate::{
    Backoff, Claimed, Failure, Job, JobId, Lease, NewJob, Outcome, cancel,
    claim::{Claimant, TOP, claim},
    clock::{Clock, SimulatedClock},
    enqueue, pause, processes,
    promote::promote,
    rescue::rescue,
    resume,
    settle::{Fate, Settled, settle},
};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");
const QUEUE: &str = "default";
const PROCESSES: usize = 3;

#[derive(Serialize, Deserialize)]
struct Step;

impl Job for Step {
    const KIND: &'static str = "test.step";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_secs(1);
    const MAX_ATTEMPTS: i16 = 3;
    const BACKOFF: Backoff = Backoff::exponential(Duration::ZERO, Duration::ZERO);
}

#[derive(Debug, Clone)]
enum Op {
    Enqueue {
        delay: u64,
        priority: i16,
    },
    /// Each process claims this many, all at the same time.
    Claim([u8; PROCESSES]),
    End {
        run: prop::sample::Index,
        how: How,
    },
    /// Ends a run again that has ended before, however.
    EndAgain {
        run: prop::sample::Index,
        how: How,
    },
    Cancel(prop::sample::Index),
    Advance(u64),
    Promote,
    Kill(usize),
    Pause(bool),
}

#[derive(Debug, Clone, Copy)]
enum How {
    Done,
    Retry,
    Snooze(u64),
    Discard,
    HandBack,
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => Just(How::Done),
        3 => Just(How::Retry),
        1 => (0..4u64).prop_map(How::Snooze),
        1 => Just(How::Discard),
        1 => Just(How::HandBack),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let run = any::<prop::sample::Index>;
    prop_oneof![
        4 => (0..4u64, -1..2i16).prop_map(|(delay, priority)| Op::Enqueue { delay, priority }),
        4 => any::<[u8; PROCESSES]>().prop_map(|n| Op::Claim(n.map(|n| n % 4))),
        5 => (run(), how()).prop_map(|(run, how)| Op::End { run, how }),
        2 => (run(), how()).prop_map(|(run, how)| Op::EndAgain { run, how }),
        1 => run().prop_map(Op::Cancel),
        2 => (1..4u64).prop_map(Op::Advance),
        3 => Just(Op::Promote),
        1 => (0..PROCESSES).prop_map(Op::Kill),
        1 => any::<bool>().prop_map(Op::Pause),
    ]
}

/// A job as the oracle sees it.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    state: &'static str,
    attempt: i16,
    priority: i16,
    due: u64,
    cancelled: bool,
}

impl Known {
    /// What the outcome of a run makes of the job.
    fn end(&mut self, how: How, now: u64) {
        let last = self.attempt >= Step::MAX_ATTEMPTS;
        self.state = match how {
            How::Done => "completed",
            How::Discard => "discarded",
            How::Retry | How::Snooze(_) if self.cancelled => "cancelled",
            How::Retry if last => "discarded",
            How::Retry => {
                self.due = now;
                "retryable"
            }
            How::Snooze(wait) => {
                self.attempt -= 1;
                self.due = now + wait;
                "scheduled"
            }
            How::HandBack => {
                self.attempt -= 1;
                if self.cancelled {
                    self.due = now;
                }
                "available"
            }
        };
    }

    /// What the death of its process makes of the job.
    fn lose(&mut self) {
        self.state = if self.attempt >= Step::MAX_ATTEMPTS { "discarded" } else { "available" };
    }
}

struct Run {
    pool: PgPool,
    clock: SimulatedClock,
    seconds: u64,
    processes: Vec<Uuid>,
    claims: i32,
    paused: bool,
    oracle: BTreeMap<i64, Known>,
    running: Vec<(Lease, usize)>,
    ended: Vec<Lease>,
}

impl Run {
    async fn new(database: &TestDatabase) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_with(crate::connect_options(database.login_options()))
            .await
            .unwrap();
        let mut processes = Vec::new();
        for _ in 0..PROCESSES {
            processes.push(processes::register(&pool, QUEUE, "model").await.unwrap());
        }
        let clock = SimulatedClock::at("2031-05-04T12:00:00Z".parse().unwrap());
        Self {
            pool,
            clock,
            seconds: 0,
            processes,
            claims: 0,
            paused: false,
            oracle: BTreeMap::new(),
            running: Vec::new(),
            ended: Vec::new(),
        }
    }

    async fn apply(&mut self, op: &Op) {
        let mut conn = self.pool.acquire().await.unwrap();
        match op {
            Op::Enqueue { delay, priority } => {
                let due = self.clock.now() + Duration::from_secs(*delay);
                let job = NewJob::of(&Step).unwrap().run_at(due).priority(*priority);
                let id = enqueue(&mut conn, &self.clock, job).await.unwrap().id;
                let state = if *delay > 0 { "scheduled" } else { "available" };
                let due = self.seconds + delay;
                self.oracle
                    .insert(id.0, Known { state, attempt: 0, priority: *priority, due, cancelled: false });
            }
            Op::Claim(wanted) => self.claim(*wanted).await,
            Op::End { run, how } => {
                if let Some((lease, _)) = self.pick(*run) {
                    assert_eq!(self.end(lease, *how).await, 1, "a current lease ends its run");
                    self.oracle.get_mut(&lease.job.0).unwrap().end(*how, self.seconds);
                    self.ended.push(lease);
                }
            }
            Op::EndAgain { run, how } => {
                if !self.ended.is_empty() {
                    let lease = self.ended[run.index(self.ended.len())];
                    assert_eq!(self.end(lease, *how).await, 0, "a stale lease changes nothing");
                }
            }
            Op::Cancel(which) => {
                if !self.oracle.is_empty() {
                    let id = *self.oracle.keys().nth(which.index(self.oracle.len())).unwrap();
                    cancel(&mut conn, &self.clock, JobId(id)).await.unwrap();
                    self.cancelled(id);
                }
            }
            Op::Advance(seconds) => {
                self.clock.advance(Duration::from_secs(*seconds));
                self.seconds += seconds;
            }
            Op::Promote => {
                promote(&self.pool, &self.clock, QUEUE, true).await.unwrap();
                for job in self.oracle.values_mut() {
                    if matches!(job.state, "scheduled" | "retryable") && job.due <= self.seconds {
                        job.state = "available";
                    }
                }
            }
            Op::Kill(index) => self.kill(*index).await,
            Op::Pause(paused) => {
                self.paused = *paused;
                if *paused {
                    pause(&mut conn, &self.clock, QUEUE).await.unwrap();
                } else {
                    resume(&mut conn, QUEUE).await.unwrap();
                }
            }
        }
    }

    async fn claim(&mut self, wanted: [u8; PROCESSES]) {
        let mut order: Vec<(i16, i64)> = self
            .oracle
            .iter()
            .filter(|(_, job)| job.state == "available" && !self.paused)
            .map(|(id, job)| (job.priority, *id))
            .collect();
        order.sort_unstable();
        self.claims += 1;
        let claims = wanted.iter().zip(&self.processes).map(|(limit, process)| {
            let by = Claimant { queue: QUEUE, process: *process, number: self.claims };
            claim(&self.pool, &self.clock, by, TOP, i64::from(*limit))
        });
        let claimed: Vec<Vec<Claimed>> =
            futures::future::join_all(claims).await.into_iter().map(Result::unwrap).collect();
        let wanted: usize = wanted.iter().map(|&limit| usize::from(limit)).sum();
        let mut taken: Vec<(i16, i64)> =
            claimed.iter().flatten().map(|job| (job.priority, job.id.0)).collect();
        taken.sort_unstable();
        order.truncate(wanted);
        assert_eq!(taken, order, "together they take the most urgent jobs, each once");
        for (process, jobs) in claimed.into_iter().enumerate() {
            for job in jobs {
                let known = self.oracle.get_mut(&job.id.0).unwrap();
                known.state = "running";
                known.attempt += 1;
                assert_eq!((job.attempt, job.cancel_requested), (known.attempt, known.cancelled));
                self.running.push((job.lease, process));
            }
        }
    }

    fn pick(&mut self, run: prop::sample::Index) -> Option<(Lease, usize)> {
        (!self.running.is_empty()).then(|| self.running.swap_remove(run.index(self.running.len())))
    }

    async fn end(&self, lease: Lease, how: How) -> usize {
        let known = &self.oracle[&lease.job.0];
        let failure = || Failure::new("model", "the model says so");
        let fate = match how {
            How::HandBack => Some(Fate::handed_back()),
            How::Done => Fate::of(Outcome::Done(None), false, false),
            How::Discard => Fate::of(Outcome::Discard(failure()), false, false),
            How::Snooze(wait) => Fate::of(Outcome::Snooze(Duration::from_secs(wait)), false, known.cancelled),
            How::Retry => {
                Fate::of(Outcome::Retry(failure()), known.attempt >= Step::MAX_ATTEMPTS, known.cancelled)
            }
        };
        let settled = Settled { lease, fate: fate.unwrap() };
        let mut conn = self.pool.acquire().await.unwrap();
        settle(&mut conn, &self.clock, QUEUE, &[settled]).await.unwrap()
    }

    fn cancelled(&mut self, id: i64) {
        let job = self.oracle.get_mut(&id).unwrap();
        match job.state {
            "running" => job.cancelled = true,
            "available" | "scheduled" | "retryable" => job.state = "cancelled",
            _ => {}
        }
    }

    /// The process dies, its jobs are rescued, and another starts in its place.
    async fn kill(&mut self, index: usize) {
        let mut conn = self.pool.acquire().await.unwrap();
        let silence = "UPDATE queue.processes SET seen_at = seen_at - interval '1 hour' WHERE id = $1";
        sqlx::query(silence).bind(self.processes[index]).execute(&mut *conn).await.unwrap();
        let (lost, kept): (Vec<_>, Vec<_>) =
            self.running.drain(..).partition(|(_, process)| *process == index);
        self.running = kept;
        let rescued = rescue(&mut conn, &self.clock, QUEUE, Duration::from_mins(30)).await.unwrap();
        assert_eq!(rescued, lost.len());
        for (lease, _) in lost {
            self.oracle.get_mut(&lease.job.0).unwrap().lose();
            self.ended.push(lease);
        }
        self.processes[index] = processes::register(&self.pool, QUEUE, "model").await.unwrap();
    }

    async fn compare(&self) {
        let rows: Vec<(i64, String, i16)> = sqlx::query_as(
            "SELECT id, state::text, attempt FROM queue.jobs
             UNION ALL SELECT id, state::text, attempt FROM queue.job_history ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let known: Vec<(i64, String, i16)> =
            self.oracle.iter().map(|(id, job)| (*id, job.state.to_owned(), job.attempt)).collect();
        assert_eq!(rows, known);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_the_oracle_says(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let database = TestDatabase::create(&MIGRATOR).await;
            let mut run = Run::new(&database).await;
            for op in &ops {
                run.apply(op).await;
                run.compare().await;
            }
        });
    }
}
