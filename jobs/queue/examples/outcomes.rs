//! How a run ends, in words; and how a dead job is brought back.

mod shared;

use std::time::Duration;

use permanence_queue::{Backoff, Claimed, Failure, Job, NewJob, Outcome, clock::SystemClock, enqueue, retry};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

#[derive(Serialize, Deserialize)]
struct SendLetter {
    to: String,
}

impl Job for SendLetter {
    const KIND: &'static str = "example.send_letter";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10);
    const MAX_ATTEMPTS: i16 = 5;
    const BACKOFF: Backoff = Backoff::exponential(Duration::from_millis(10), Duration::from_secs(1));
}

async fn send(job: Claimed, _cancelled: CancellationToken) -> Outcome {
    let letter = match job.decode::<SendLetter>() {
        Ok(letter) => letter,
        Err(failure) => return Outcome::Discard(failure),
    };
    match (letter.to.as_str(), job.attempt) {
        ("nobody", _) => Outcome::Discard(Failure::new("unknown_address", "nobody lives there")),
        ("moved", _) => Outcome::Cancel("the letter was withdrawn".to_owned()),
        ("busy", 1) => Outcome::Retry(Failure::new("line_busy", "try again")),
        (to, _) => Outcome::Done(Some(to.into())),
    }
}

#[tokio::main]
pub(crate) async fn main() -> shared::Result {
    let db = shared::Database::start().await?;
    let mut conn = db.pool.acquire().await?;
    let mut dead = None;
    for to in ["friend", "busy", "moved", "nobody"] {
        dead =
            Some(enqueue(&mut conn, &SystemClock, NewJob::of(&SendLetter { to: to.to_owned() })?).await?.id);
    }
    let worker = db.work(send);
    db.until_empty().await?;

    let ended: Vec<(String, String, i16)> =
        sqlx::query_as("SELECT payload ->> 'to', state::text, attempt FROM queue.job_history ORDER BY id")
            .fetch_all(&db.pool)
            .await?;
    let ended: Vec<_> =
        ended.iter().map(|(to, state, attempt)| (to.as_str(), state.as_str(), *attempt)).collect();
    assert_eq!(
        ended,
        [
            ("friend", "completed", 1),
            ("busy", "completed", 2),
            ("moved", "cancelled", 1),
            ("nobody", "discarded", 1)
        ]
    );

    // A discarded job stays in history with its errors; by hand it comes back, with all its attempts.
    let dead = dead.ok_or("four were enqueued")?;
    assert!(retry(&mut conn, &SystemClock, dead).await?);
    db.until_empty().await?;
    db.until(
        "SELECT jsonb_array_length(errors)::bigint FROM queue.job_history WHERE payload ->> 'to' = 'nobody'",
        2,
    )
    .await?;
    worker.stop().await
}
