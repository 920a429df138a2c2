//! A job's effects in the database and its completion are one transaction: however often it runs, it acts once.

mod shared;

use std::time::Duration;

use permanence_queue::{Claimed, Failure, Job, NewJob, Outcome, clock::SystemClock, complete_in, enqueue};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

#[derive(Serialize, Deserialize)]
struct BookPayment {
    invoice: i64,
}

impl Job for BookPayment {
    const KIND: &'static str = "example.book_payment";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10);
}

async fn book(pool: &PgPool, job: &Claimed) -> Result<(), permanence_queue::Error> {
    let mut tx = pool.begin().await?;
    // The effect: here a row about the rate of a key, which is as good as any other.
    sqlx::query(
        "INSERT INTO queue.rates (key, per_second, burst, tokens, refilled_at) VALUES ('paid', 1, 1, 1, now())",
    )
    .execute(&mut *tx)
    .await?;
    complete_in(&mut tx, &SystemClock, &job.lease, Some("booked".into())).await?;
    Ok(tx.commit().await?)
}

#[tokio::main]
pub(crate) async fn main() -> shared::Result {
    let db = shared::Database::start().await?;

    // The business's write and the job are one transaction, too: neither is there without the other.
    let mut tx = db.pool.begin().await?;
    enqueue(&mut tx, &SystemClock, NewJob::of(&BookPayment { invoice: 7 })?).await?;
    tx.commit().await?;

    let pool = db.pool.clone();
    let worker = db.work(move |job: Claimed, _: CancellationToken| {
        let pool = pool.clone();
        async move {
            match book(&pool, &job).await {
                Ok(()) => Outcome::Completed,
                Err(error) => Outcome::Retry(Failure::new("not_booked", error.to_string())),
            }
        }
    });
    db.until_empty().await?;
    worker.stop().await?;

    let output: String =
        sqlx::query_scalar("SELECT output #>> '{}' FROM queue.job_history").fetch_one(&db.pool).await?;
    assert_eq!(output, "booked");
    let effects: i64 = sqlx::query_scalar("SELECT count(*) FROM queue.rates").fetch_one(&db.pool).await?;
    assert_eq!(effects, 1);
    Ok(())
}
