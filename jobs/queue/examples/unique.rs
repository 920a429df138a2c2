//! A unique job: a duplicate answers with the job that holds the key, replaces it, or puts it off.

mod shared;

use std::time::Duration;

use permanence_queue::{
    Claimed, Error, Job, NewJob, OnDuplicate, Outcome, Unique, clock::SystemClock, enqueue,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

#[derive(Serialize, Deserialize)]
struct RefreshView {
    practice: u32,
}

impl Job for RefreshView {
    const KIND: &'static str = "example.refresh_view";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10);
}

#[tokio::main]
pub(crate) async fn main() -> shared::Result {
    let db = shared::Database::start().await?;
    let mut conn = db.pool.acquire().await?;
    let refresh =
        |practice: u32, unique: Unique| Ok::<_, Error>(NewJob::of(&RefreshView { practice })?.unique(unique));

    // While one waits, no second one is needed: it will see what both callers wrote.
    let first = enqueue(&mut conn, &SystemClock, refresh(1, Unique::until_started("view"))?).await?;
    let again = enqueue(&mut conn, &SystemClock, refresh(1, Unique::until_started("view"))?).await?;
    assert!(again.existing && again.id == first.id);

    // A duplicate may also bring the payload and the due time up to date.
    let debounce = Unique::until_started("view").on_duplicate(OnDuplicate::Debounce);
    enqueue(&mut conn, &SystemClock, refresh(2, debounce)?).await?;
    let practice: i64 = sqlx::query_scalar("SELECT (payload ->> 'practice')::bigint FROM queue.jobs")
        .fetch_one(&db.pool)
        .await?;
    assert_eq!(practice, 2);

    // For ever: an idempotency key. The same key with another body is a mistake, and said to be one.
    enqueue(&mut conn, &SystemClock, refresh(3, Unique::forever("order-9"))?).await?;
    let other = enqueue(&mut conn, &SystemClock, refresh(4, Unique::forever("order-9"))?).await;
    assert!(matches!(other, Err(Error::Conflict { .. })));

    let worker = db.work(async |_: Claimed, _: CancellationToken| Outcome::Done(None));
    db.until_empty().await?;
    worker.stop().await
}
