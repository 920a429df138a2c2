//! How soon the jobs of a process that was killed run elsewhere, at the default heartbeat.

use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

use permanence_queue::{
    Claimed, Job, NewJob, Outcome, Worker, clock::SystemClock, connect_options, enqueue_all,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::server::{Noop, Server};

/// Where the process to be killed finds its database.
const VICTIM: &str = "PERMANENCE_BENCH_VICTIM";
const JOBS: usize = 10;
const ROUNDS: u32 = 5;

/// The process to be killed, if this is it: its jobs never end.
pub(crate) async fn victim() -> bool {
    let Ok(url) = std::env::var(VICTIM) else { return false };
    let options = connect_options(url.parse::<PgConnectOptions>().unwrap());
    let pool = PgPoolOptions::new().max_connections(4).connect_lazy_with(options);
    let hang = |_: Claimed, _: CancellationToken| std::future::pending();
    Worker::builder(pool, Noop::QUEUE).concurrency(JOBS).run(hang, CancellationToken::new()).await.unwrap();
    true
}

pub(crate) async fn run(server: &Server) {
    let db = server.database().await;
    let running = "SELECT count(*) FROM queue.jobs WHERE state = 'running'";
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let jobs = (0..JOBS).map(|n| NewJob::of(&Noop { n }).unwrap()).collect();
        enqueue_all(&mut *db.pool.acquire().await.unwrap(), &SystemClock, jobs).await.unwrap();
        let mut victim = start_victim(&db.url);
        while db.count(running).await < 10 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (ended, mut ends) = mpsc::unbounded_channel();
        let shutdown = CancellationToken::new();
        let survivor = Worker::builder(db.pool.clone(), Noop::QUEUE).concurrency(JOBS);
        let survivor = tokio::spawn(survivor.run(
            move |_: Claimed, _: CancellationToken| {
                // Nobody listens any more once all have run.
                let _ = ended.send(Instant::now());
                async { Outcome::Done(None) }
            },
            shutdown.clone(),
        ));
        // At another moment of the beat each time.
        tokio::time::sleep(Duration::from_secs(1) + Duration::from_millis(600) * round).await;
        victim.kill().unwrap();
        let killed = Instant::now();
        victim.wait().unwrap();
        for _ in 0..JOBS {
            ends.recv().await.unwrap();
        }
        times.push(killed.elapsed());
        shutdown.cancel();
        survivor.await.unwrap().unwrap();
    }
    times.sort_unstable();
    let (least, most) = (times[0], times[times.len() - 1]);
    println!("crash recovery of {JOBS} jobs, killed {ROUNDS} times: {least:.1?} to {most:.1?}");
}

fn start_victim(url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap()).env(VICTIM, url).spawn().unwrap()
}
