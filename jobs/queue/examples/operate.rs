//! What operations do: look, pause, resume, cancel, discard, keep house.

mod shared;

use std::time::Duration;

use permanence_queue::{
    Cancelled, Claimed, Failure, Job, NewJob, Outcome, Retention, cancel, clock::SystemClock, discard,
    enqueue, maintain, pause, resume, stats,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

#[derive(Serialize, Deserialize)]
struct Tidy {
    room: u32,
}

impl Job for Tidy {
    const KIND: &'static str = "example.tidy";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10);
    const RETENTION: Retention = Retention::Week;
}

#[tokio::main]
pub(crate) async fn main() -> shared::Result {
    let db = shared::Database::start().await?;
    let mut conn = db.pool.acquire().await?;
    maintain(&mut conn, &SystemClock).await?;

    pause(&mut conn, &SystemClock, "default").await?;
    let worker = db.work(async |_: Claimed, _: CancellationToken| Outcome::Done(None));
    let mut ids = Vec::new();
    for room in 0..3 {
        ids.push(enqueue(&mut conn, &SystemClock, NewJob::of(&Tidy { room })?).await?.id);
    }
    let all = stats(&mut conn, &SystemClock).await?;
    let queue = all.iter().find(|queue| queue.queue == "default").ok_or("it exists")?;
    assert!(queue.paused_at.is_some());
    assert_eq!((queue.available, queue.running), (3, 0));

    assert_eq!(cancel(&mut conn, &SystemClock, ids[0]).await?, Cancelled::Ended);
    assert!(discard(&mut conn, &SystemClock, ids[1], Failure::new("by_hand", "not needed")).await?);
    resume(&mut conn, "default").await?;
    db.until_empty().await?;
    worker.stop().await?;

    let states: Vec<String> = sqlx::query_scalar("SELECT state::text FROM queue.job_history ORDER BY id")
        .fetch_all(&db.pool)
        .await?;
    assert_eq!(states, ["cancelled", "discarded", "completed"]);
    Ok(())
}
