//! The queues as gauges, for whoever draws or watches them: one statement, asked by one process every few seconds.

use sqlx::PgConnection;

use crate::{Error, QueueStats, clock::Clock, stats};

/// Counts every queue's jobs and workers, and shows them as gauges of this process.
pub async fn show_gauges(conn: &mut PgConnection, clock: &dyn Clock) -> Result<(), Error> {
    stats(conn, clock).await?.iter().for_each(set);
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floats; counts that lose precision are beyond any table"
)]
fn set(queue: &QueueStats) {
    let name = &queue.queue;
    let depth = [
        ("scheduled", queue.scheduled),
        ("available", queue.available),
        ("running", queue.running),
        ("retryable", queue.retryable),
    ];
    for (state, jobs) in depth {
        metrics::gauge!("permanence_queue_depth", "queue" => name.clone(), "state" => state).set(jobs as f64);
    }
    let gauge = |gauge: &'static str, value: f64| metrics::gauge!(gauge, "queue" => name.clone()).set(value);
    gauge("permanence_queue_oldest_seconds", queue.oldest_seconds.unwrap_or_default());
    gauge("permanence_queue_dead_tuples", queue.dead_tuples as f64);
    gauge("permanence_queue_workers", queue.workers as f64);
    gauge("permanence_queue_paused", if queue.paused_at.is_some() { 1.0 } else { 0.0 });
}
