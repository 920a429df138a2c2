//! The database goes away, or its answer gets lost: that costs a pause and never a job.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use permanence_queue::{Claimed, Job, NewJob, Outcome, Worker, clock::SystemClock, enqueue};
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use crate::{
    own_server::{OwnServer, queue_pool},
    support::{Count, Running, database, eventually},
};

/// How long the database is away: `PERMANENCE_OUTAGE_SECONDS`, two unless said otherwise.
fn outage() -> Duration {
    let seconds = std::env::var("PERMANENCE_OUTAGE_SECONDS").map_or(2, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

async fn add(pool: &PgPool, n: i64) {
    let mut conn = pool.acquire().await.unwrap();
    enqueue(&mut conn, &SystemClock, NewJob::of(&Count { n }).unwrap()).await.unwrap();
}

async fn completed(pool: &PgPool) -> i64 {
    let sql = "SELECT count(*) FROM queue.job_history WHERE state = 'completed' AND attempt = 1";
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap_or(-1)
}

#[tokio::test]
async fn a_database_that_goes_away_costs_a_pause_and_no_worker() {
    let server = OwnServer::start("outage").await;
    let (go, runs) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (gone, ran) = (Arc::clone(&go), Arc::clone(&runs));
    let worker = Worker::builder(server.pool(), Count::QUEUE)
        .poll(Duration::from_millis(5), Duration::from_millis(20));
    let worker = Running::start(worker, move |job: Claimed, _: CancellationToken| {
        let gone = Arc::clone(&gone);
        ran.fetch_add(1, Ordering::SeqCst);
        async move {
            if job.decode::<Count>().unwrap().n == 0 {
                gone.notified().await;
            }
            Outcome::Done(None)
        }
    });
    add(&server.owner, 0).await;
    add(&server.owner, 1).await;
    eventually("one is done, one runs", async || {
        completed(&server.owner).await == 1 && runs.load(Ordering::SeqCst) == 2
    })
    .await;

    server.postgres.crash().await.unwrap();
    // It ends while nobody can be told; the outage itself is what is waited for.
    go.notify_one();
    tokio::time::sleep(outage()).await;
    server.postgres.restart().await.unwrap();

    eventually("the end that waited is stored", async || completed(&server.owner).await == 2).await;
    add(&server.owner, 2).await;
    eventually("work goes on", async || completed(&server.owner).await == 3).await;
    assert_eq!(runs.load(Ordering::SeqCst), 3, "nothing ran twice");
    worker.stop().await;
    server.postgres.stop().await.unwrap();
}

/// Stands between the worker and Postgres, and while told to keeps the answers of claims to itself: the claim is
/// executed, and the connection breaks before the worker hears of it.
async fn lossy_proxy(to: u16, losing: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let lost = Arc::new(AtomicBool::new(false));
            tokio::spawn(ask(from_client, to_server, Arc::clone(&losing), Arc::clone(&lost)));
            tokio::spawn(answer(from_server, to_client, lost));
        }
    });
    port
}

async fn ask(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    losing: Arc<AtomicBool>,
    lost: Arc<AtomicBool>,
) {
    const NAME: &[u8] = b"sqlx_s_";
    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    let mut claim: Option<Vec<u8>> = None;
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let message = &bytes[..read];
        if contains(message, b"SET state = 'running'").is_some() {
            // The statement is prepared under a name; whoever executes it says that name.
            let at = contains(message, NAME).unwrap();
            let end = at + message[at..].iter().position(|&byte| byte == 0).unwrap();
            claim = Some(message[at..=end].to_vec());
        } else if claim.as_ref().is_some_and(|claim| contains(message, claim).is_some())
            && losing.load(Ordering::SeqCst)
        {
            lost.store(true, Ordering::SeqCst);
        }
        if to.write_all(message).await.is_err() {
            return;
        }
    }
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lost: Arc<AtomicBool>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if lost.load(Ordering::SeqCst) || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_undone() {
    let db = database().await;
    let losing = Arc::new(AtomicBool::new(false));
    let port = lossy_proxy(db.login.get_port(), Arc::clone(&losing)).await;
    let pool = queue_pool(db.login.clone().host("127.0.0.1").port(port));
    // Not so impatient that it takes itself for dead meanwhile.
    let worker = Worker::builder(pool, Count::QUEUE)
        .heartbeat(Duration::from_millis(50), Duration::from_secs(30))
        .poll(Duration::from_millis(5), Duration::from_millis(20));
    let runs = Arc::new(AtomicUsize::new(0));
    let ran = Arc::clone(&runs);
    let worker = Running::start(worker, move |_: Claimed, _: CancellationToken| {
        ran.fetch_add(1, Ordering::SeqCst);
        async { Outcome::Done(None) }
    });
    let first = db.enqueue(1).await;
    db.wait_for_state(first, "completed").await;

    losing.store(true, Ordering::SeqCst);
    let id = db.enqueue(2).await;
    // Claimed, says the database; the worker never hears of it.
    db.wait_for_state(id, "running").await;
    losing.store(false, Ordering::SeqCst);
    db.wait_for_state(id, "completed").await;

    assert_eq!(runs.load(Ordering::SeqCst), 2);
    let attempts = "SELECT sum(attempt) FROM queue.job_history";
    assert_eq!(db.count(attempts).await, 2, "a claim nobody heard of is not an attempt");
    worker.stop().await;
}
