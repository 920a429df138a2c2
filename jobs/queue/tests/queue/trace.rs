//! A job goes on in the trace of whoever asked for it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use permanence_queue::{
    Backoff, Claimed, Failure, Job, JobId, NewJob, Outcome, clock::SystemClock, enqueue, enqueue_batch,
    retry, trace,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
};

use crate::support::{Running, TestDb, database, eventually};

#[derive(Serialize, Deserialize)]
struct Step {
    n: i64,
}

impl Job for Step {
    const KIND: &'static str = "test.step";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(30);
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_millis(1), Duration::from_millis(1));
}

/// The traces of all jobs, live and ended.
async fn traces(db: &TestDb) -> Vec<Option<String>> {
    sqlx::query_scalar(
        "SELECT substr(traceparent, 4, 32) FROM queue.jobs
         UNION ALL SELECT substr(traceparent, 4, 32) FROM queue.job_history",
    )
    .fetch_all(&db.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn retries_follow_ups_batches_and_dead_ones_stay_in_the_trace() {
    let provider = SdkTracerProvider::builder().build();
    let ours = Targets::new().with_target(trace::SPANS, LevelFilter::INFO);
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test")).with_filter(ours);
    // With one subscriber alone, another test's thread that meets a span first asks its own, finds none, and nobody sees the span.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _traced = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let db = database().await;
    let request = tracing::info_span!(target: trace::SPANS, "request");
    let id = trace::id(&request).expect("a trace");
    let job = |n| NewJob::of(&Step { n }).unwrap();
    async {
        let mut tx = db.pool.begin().await.unwrap();
        enqueue(&mut tx, &SystemClock, job(1)).await.unwrap();
        enqueue_batch(&mut tx, &SystemClock, vec![job(3)], job(4)).await.unwrap();
        tx.commit().await.unwrap();
    }
    .instrument(request)
    .await;

    let runs = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&runs);
    let worker = Running::start(db.worker(), move |job: Claimed, _: CancellationToken| {
        let n = job.decode::<Step>().unwrap().n;
        let trace = trace::current().map(|parent| parent[3..35].to_owned());
        noted.lock().unwrap().push((n, trace));
        async move {
            match (n, job.attempt) {
                (1, 1) => Outcome::Retry(Failure::new("busy", "the other side is busy")),
                (1, _) => Outcome::DoneThen(None, vec![NewJob::of(&Step { n: 2 }).unwrap()]),
                (2, _) => Outcome::Discard(Failure::new("bad_address", "the address does not exist")),
                _ => Outcome::Done(None),
            }
        }
    });
    let ended = async || db.count("SELECT count(*) FROM queue.job_history").await == 4;
    eventually("all have ended", ended).await;
    let dead = db.count("SELECT id FROM queue.job_history WHERE state = 'discarded'").await;
    let mut conn = db.pool.acquire().await.unwrap();
    assert!(retry(&mut conn, &SystemClock, JobId(dead)).await.unwrap());
    eventually("it has ended again", ended).await;
    worker.stop().await;

    assert_eq!(traces(&db).await, vec![Some(id.clone()); 4]);
    let runs = runs.lock().unwrap();
    let mut performed: Vec<i64> = runs.iter().map(|(n, _)| *n).collect();
    performed.sort_unstable();
    assert_eq!(performed, [1, 1, 2, 2, 3, 4]);
    assert!(runs.iter().all(|(_, trace)| trace.as_ref() == Some(&id)), "{runs:?}");
}

#[tokio::test]
async fn where_nobody_traces_nothing_is_kept() {
    let db = database().await;
    db.enqueue(1).await;
    assert_eq!(traces(&db).await, [None]);
}
