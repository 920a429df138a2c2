//! Jobs that belong together: a batch with a last job, a follow-up, and progress on the way.

mod shared;

use std::time::Duration;

use permanence_queue::{
    Claimed, Failure, Job, NewJob, Outcome, Progress, clock::SystemClock, enqueue_batch, progress,
    report_progress,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

#[derive(Serialize, Deserialize)]
struct RenderPage {
    page: i64,
}

#[derive(Serialize, Deserialize)]
struct BindBook;

#[derive(Serialize, Deserialize)]
struct ShipBook;

impl Job for RenderPage {
    const KIND: &'static str = "example.render_page";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10);
}

impl Job for BindBook {
    const KIND: &'static str = "example.bind_book";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10);
}

impl Job for ShipBook {
    const KIND: &'static str = "example.ship_book";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10);
}

async fn bind(pool: &PgPool, job: &Claimed) -> Result<Outcome, permanence_queue::Error> {
    let mut conn = pool.acquire().await?;
    report_progress(&mut conn, &SystemClock, &job.lease, Progress { done: 20, total: Some(20) }).await?;
    // Shipping is enqueued in the transaction that completes the binding: never without it, never twice.
    Ok(Outcome::DoneThen(None, vec![NewJob::of(&ShipBook)?]))
}

#[tokio::main]
pub(crate) async fn main() -> shared::Result {
    let db = shared::Database::start().await?;
    let mut conn = db.pool.acquire().await?;
    let pages: Result<Vec<_>, _> = (0..20).map(|page| NewJob::of(&RenderPage { page })).collect();
    let batch = enqueue_batch(&mut conn, &SystemClock, pages?, NewJob::of(&BindBook)?).await?;
    assert_eq!(batch.members.len(), 20);

    let pool = db.pool.clone();
    let worker = db.work(move |job: Claimed, _: CancellationToken| {
        let pool = pool.clone();
        async move {
            match job.kind.as_str() {
                BindBook::KIND => bind(&pool, &job)
                    .await
                    .unwrap_or_else(|error| Outcome::Retry(Failure::new("not_bound", error.to_string()))),
                _ => Outcome::Done(None),
            }
        }
    });
    db.until("SELECT count(*) FROM queue.job_history WHERE kind = 'example.ship_book'", 1).await?;
    db.until_empty().await?;
    worker.stop().await?;

    let order: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM queue.job_history ORDER BY finished_at, id")
            .fetch_all(&db.pool)
            .await?;
    assert_eq!(order[20..], [BindBook::KIND, ShipBook::KIND], "bound after the last page, then shipped");
    assert_eq!(progress(&mut conn, batch.then).await?, Some(Progress { done: 20, total: Some(20) }));
    Ok(())
}
