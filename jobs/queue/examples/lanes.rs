//! A queue with lanes: tenants take turns, at most so many run, and a provider's rate is kept.

mod shared;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use permanence_queue::{
    Claimed, Job, Limits, NewJob, Outcome, clock::SystemClock, enqueue_all, set_limits, set_rate,
};
use serde::{Deserialize, Serialize};
use sqlx::types::Uuid;
use tokio_util::sync::CancellationToken;

#[derive(Serialize, Deserialize)]
struct SendText {
    number: i64,
}

impl Job for SendText {
    const KIND: &'static str = "example.send_text";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10);
    const RATE_KEY: Option<&'static str> = Some("sms");
}

#[tokio::main]
pub(crate) async fn main() -> shared::Result {
    let db = shared::Database::start().await?;
    let mut conn = db.pool.acquire().await?;
    // Two of one tenant at a time; two hundred texts a second, four at once.
    let limits = Limits { running: Some(8), running_per_tenant: Some(2) };
    set_limits(&mut conn, "default", limits).await?;
    set_rate(&mut conn, &SystemClock, "sms", 200.0, 4).await?;

    let (large, small) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let mut jobs = Vec::new();
    for (tenant, count) in [(large, 40), (small, 2)] {
        for number in 0..count {
            jobs.push(NewJob::of(&SendText { number })?.tenant(tenant));
        }
    }
    enqueue_all(&mut conn, &SystemClock, jobs).await?;

    let order: Arc<Mutex<Vec<Option<Uuid>>>> = Arc::default();
    let ran = Arc::clone(&order);
    let worker = db.work(move |job: Claimed, _: CancellationToken| {
        ran.lock().unwrap_or_else(PoisonError::into_inner).push(job.tenant);
        async { Outcome::Done(None) }
    });
    db.until_empty().await?;
    worker.stop().await?;

    let order = order.lock().unwrap_or_else(PoisonError::into_inner);
    let last_of_small = order.iter().rposition(|tenant| *tenant == Some(small)).ok_or("it ran")?;
    assert!(last_of_small < 8, "the small tenant did not wait for the large one: {order:?}");
    Ok(())
}
