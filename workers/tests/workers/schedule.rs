//! The cron table.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{clock::Clock, db::Actor};
use permanence_workers::schedule::{entries, tick};

use crate::support::World;

#[tokio::test]
async fn each_due_time_is_queued_once_by_any_number_of_schedulers() {
    let world = World::at("2027-03-27T12:00:00Z", Tz::Europe__Paris).await;
    let entries = entries().unwrap();
    let mut queued = Vec::new();
    // Three days, a tick every ten minutes by two schedulers at once, across the change of the clocks.
    for _ in 0..(3 * 24 * 6) {
        let (one, two) = tokio::join!(tick(&world.db, &entries), tick(&world.db, &entries));
        let count = one.unwrap() + two.unwrap();
        if count > 0 {
            queued.push((world.clock.now().to_rfc3339(), count));
        }
        world.clock.advance(Duration::from_mins(10));
    }
    // 03:17 in Paris is 01:17 UTC once summer time has begun on the 28th.
    let at = |text: &str| (text.to_owned(), 1);
    assert_eq!(
        queued,
        [at("2027-03-28T01:20:00+00:00"), at("2027-03-29T01:20:00+00:00"), at("2027-03-30T01:20:00+00:00")]
    );
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let jobs: i64 =
        sqlx::query_scalar("SELECT count(*) FROM queue.jobs WHERE kind = 'platform.purge_answers'")
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!(jobs, 3);
}
