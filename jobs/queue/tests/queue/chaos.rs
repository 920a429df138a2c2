//! Real worker processes are killed at random and at every named point, frozen and cut off, and Postgres crashes,
//! while jobs with database effects run. In the end each has had its effect once.
//!
//! `PERMANENCE_CHAOS_JOBS` says how many jobs (300 unless said otherwise; 20,000 before a release).

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use permanence_queue::{
    Backoff, Claimed, Error, Failure, Job, NewJob, Outcome, Worker, clock::SystemClock, complete_in,
    enqueue_all,
};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

use crate::{
    own_server::{OwnServer, queue_pool},
    support::eventually,
};

const DATABASE: &str = "PERMANENCE_CHAOS_DATABASE";
const POINT: &str = "PERMANENCE_CHAOS_POINT";
/// Where a worker may die, or freeze with its effect half written; none is for those that die from outside.
const POINTS: [&str; 6] =
    ["frozen", "claimed", "effect_written", "completed_uncommitted", "committed", "none"];
const WORKERS: usize = 3;
/// How many acts of violence end in peace, in which the rest is performed.
const ACTS: usize = 40;

#[derive(Serialize, Deserialize)]
struct Effect {
    n: usize,
}

impl Job for Effect {
    const KIND: &'static str = "test.effect";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(20);
    const MAX_ATTEMPTS: i16 = 500;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_millis(5), Duration::from_millis(50));
}

/// Not a test but the worker process that the test starts: this same program again.
#[tokio::test]
async fn worker_process() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    let point = std::env::var(POINT).unwrap();
    let pool = queue_pool(url.parse::<PgConnectOptions>().unwrap());
    let worker = Worker::builder(pool.clone(), Effect::QUEUE)
        .concurrency(8)
        .heartbeat(Duration::from_millis(100), Duration::from_millis(900))
        .poll(Duration::from_millis(5), Duration::from_millis(50));
    let handler = move |job: Claimed, _: CancellationToken| perform(pool.clone(), point.clone(), job);
    worker.run(handler, CancellationToken::new()).await.unwrap();
}

async fn perform(pool: PgPool, point: String, job: Claimed) -> Outcome {
    // One job in twenty meets the point, so that others are on their way; freezing shows only if it happens.
    let every = if point == "frozen" { 3 } else { 20 };
    let here = |name: &str| point == name && job.id.0 % every == i64::from(job.attempt) % every;
    let acted = async {
        die_if(here("claimed"));
        let mut tx = pool.begin().await?;
        sqlx::query("INSERT INTO public.effects (job_id) VALUES ($1)")
            .bind(job.id.0)
            .execute(&mut *tx)
            .await?;
        die_if(here("effect_written"));
        if here("frozen") {
            signal("STOP", std::process::id());
        }
        complete_in(&mut tx, &SystemClock, &job.lease, None).await?;
        die_if(here("completed_uncommitted"));
        tx.commit().await?;
        die_if(here("committed"));
        Ok::<_, Error>(())
    };
    match acted.await {
        Ok(()) => Outcome::Completed,
        Err(Error::StaleLease) => {
            // Best effort: this is only for the test to see that it happens.
            let told =
                sqlx::query("INSERT INTO public.stale (job_id) VALUES ($1)").bind(job.id.0).execute(&pool);
            drop(told.await);
            Outcome::Retry(Failure::new("stale", "another run has the lease"))
        }
        Err(_) => Outcome::Retry(Failure::new("database_failed", "try again")),
    }
}

fn die_if(here: bool) {
    if here {
        signal("KILL", std::process::id());
        // The signal is on its way to this very process.
        std::thread::sleep(Duration::from_secs(5));
    }
}

fn signal(name: &str, process: u32) {
    Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status().unwrap();
}

fn start_worker(server: &OwnServer, point: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "chaos::worker_process"])
        .env(DATABASE, server.login_url())
        .env(POINT, point)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A small generator of its own, so that a failing run can be repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

fn restart_dead(server: &OwnServer, workers: &mut [Child], random: &mut Random) {
    for worker in workers {
        if worker.try_wait().unwrap().is_some() {
            *worker = start_worker(server, POINTS[random.below(POINTS.len())]);
        }
    }
}

async fn act(server: &OwnServer, workers: &mut [Child], number: usize, random: &mut Random) {
    let victim = workers[random.below(WORKERS)].id();
    match number % 10 {
        // A crash of the server takes every connection with it.
        4 => {
            server.postgres.crash().await.unwrap();
            server.postgres.restart().await.unwrap();
        }
        2 | 7 => {
            let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                       WHERE usename = 'permanence_login' AND random() < 0.5";
            drop(sqlx::query(cut).execute(&server.owner).await);
        }
        // Frozen for longer than a silent process is taken for living: its leases are stale when it wakes. Those that
        // froze by themselves wake too.
        5 | 9 => {
            signal("STOP", victim);
            restart_dead(server, workers, random);
            tokio::time::sleep(Duration::from_millis(1500)).await;
            for worker in workers.iter() {
                signal("CONT", worker.id());
            }
        }
        _ => signal("KILL", victim),
    }
    restart_dead(server, workers, random);
    // The next act comes at a moment of its own.
    tokio::time::sleep(Duration::from_millis(u64::try_from(random.below(200)).unwrap())).await;
}

/// The table of effects, and that of leases that were refused.
async fn prepare(owner: &PgPool) {
    sqlx::raw_sql(
        "CREATE TABLE public.effects (job_id bigint NOT NULL);
         CREATE TABLE public.stale (job_id bigint NOT NULL);
         GRANT USAGE ON SCHEMA public TO permanence_queue;
         GRANT SELECT, INSERT ON public.effects, public.stale TO permanence_queue",
    )
    .execute(owner)
    .await
    .unwrap();
}

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_and_no_effect_happens_twice() {
    let jobs: usize = std::env::var("PERMANENCE_CHAOS_JOBS").map_or(300, |jobs| jobs.parse().unwrap());
    let seed = std::env::var("PERMANENCE_CHAOS_SEED")
        .map_or(u64::from(std::process::id()) + 1, |s| s.parse().unwrap());
    let server = OwnServer::start("chaos").await;
    prepare(&server.owner).await;
    let mut random = Random(seed);
    let mut workers: Vec<Child> = (0..WORKERS).map(|n| start_worker(&server, POINTS[n])).collect();
    for number in 0..ACTS {
        let share =
            (number * jobs / ACTS..(number + 1) * jobs / ACTS).map(|n| NewJob::of(&Effect { n }).unwrap());
        let mut conn = server.owner.acquire().await.unwrap();
        enqueue_all(&mut conn, &SystemClock, share.collect()).await.unwrap();
        drop(conn);
        act(&server, &mut workers, number, &mut random).await;
    }
    let patience = Duration::from_mins(1) + Duration::from_millis(20) * u32::try_from(jobs).unwrap();
    let peace = tokio::time::timeout(patience, async {
        while count(&server.owner, "SELECT count(*) FROM queue.jobs").await > 0 {
            for worker in &mut workers {
                signal("CONT", worker.id());
                if worker.try_wait().unwrap().is_some() {
                    *worker = start_worker(&server, "none");
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let peace = peace.await;
    for mut worker in workers {
        signal("KILL", worker.id());
        worker.wait().unwrap();
    }
    assert!(peace.is_ok(), "seed {seed}: jobs are left");
    let completed = "SELECT count(*) FROM queue.job_history WHERE state = 'completed'";
    let expected = i64::try_from(jobs).unwrap();
    assert_eq!(count(&server.owner, completed).await, expected, "seed {seed}");
    assert_eq!(count(&server.owner, "SELECT count(*) FROM public.effects").await, expected, "seed {seed}");
    assert_eq!(count(&server.owner, "SELECT count(DISTINCT job_id) FROM public.effects").await, expected);
    let lost = "SELECT count(*) FROM queue.job_history WHERE errors @> '[{\"code\": \"process_lost\"}]'";
    assert!(count(&server.owner, lost).await > 0, "seed {seed}: nobody died while holding a job");
    server.postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_froze_in_the_middle_of_its_effect_is_refused_when_it_wakes() {
    let server = OwnServer::start("frozen").await;
    prepare(&server.owner).await;
    let mut conn = server.owner.acquire().await.unwrap();
    // One job: another that the frozen worker was just completing would be locked until it wakes.
    let job = NewJob::of(&Effect { n: 0 }).unwrap();
    enqueue_all(&mut conn, &SystemClock, vec![job]).await.unwrap();
    let mut frozen = start_worker(&server, "frozen");
    let stat = format!("/proc/{}/stat", frozen.id());
    // Its name is in parentheses, its state behind them.
    let stopped = || std::fs::read_to_string(&stat).unwrap().contains(") T ");
    eventually("it froze", async || stopped()).await;
    let mut other = start_worker(&server, "none");
    eventually("the job is done elsewhere", async || {
        count(&server.owner, "SELECT count(*) FROM queue.jobs").await == 0
    })
    .await;
    signal("CONT", frozen.id());
    eventually("its lease is stale", async || {
        count(&server.owner, "SELECT count(*) FROM public.stale").await > 0
    })
    .await;
    assert_eq!(count(&server.owner, "SELECT count(*) FROM public.effects").await, 1);
    assert_eq!(count(&server.owner, "SELECT count(*) FROM queue.job_history").await, 1);
    for worker in [&mut frozen, &mut other] {
        signal("KILL", worker.id());
        worker.wait().unwrap();
    }
    server.postgres.stop().await.unwrap();
}
