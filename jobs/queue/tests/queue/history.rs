//! History lives in day partitions.

use std::time::Duration;

use permanence_queue::{
    HistoryPolicy, cancel,
    clock::{SimulatedClock, SystemClock},
    maintain_history,
};

use crate::support::database;

#[tokio::test]
async fn days_are_made_ahead_filled_from_the_default_and_dropped_whole() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let day = "2031-05-04T12:00:00Z".parse().unwrap();
    let clock = SimulatedClock::at(day);
    let policy = HistoryPolicy { days_ahead: 2, days_kept: 30 };

    // Ended before the day had its partition: kept in the default one, and moved.
    let id = db.enqueue(1).await;
    cancel(&mut conn, &clock, id).await.unwrap();
    assert_eq!(maintain_history(&mut conn, &clock, policy).await.unwrap(), 0);
    let place = "SELECT count(*) FROM queue.job_history WHERE tableoid::regclass::text = 'queue.job_history_20310504'";
    assert_eq!(db.count(place).await, 1);
    assert_eq!(maintain_history(&mut conn, &clock, policy).await.unwrap(), 0, "again changes nothing");

    clock.advance(Duration::from_hours(24 * 31));
    assert_eq!(maintain_history(&mut conn, &clock, policy).await.unwrap(), 1);
    assert_eq!(db.count("SELECT count(*) FROM queue.job_history").await, 0);
    cancel(&mut conn, &SystemClock, db.enqueue(2).await).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM queue.job_history").await, 1);
}
