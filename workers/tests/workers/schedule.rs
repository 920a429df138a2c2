//! The cron table.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{clock::Clock, db::Actor, platform::MaintainQueue};
use permanence_queue::Outcome;
use permanence_workers::{
    perform::{Perform, Run},
    schedule::{entries, tick},
};
use sqlx::Connection;

use crate::support::World;

#[tokio::test]
async fn each_due_time_is_queued_once_by_any_number_of_schedulers() {
    let world = World::at("2027-03-27T12:00:00Z", Tz::Europe__Paris).await;
    let mut entries = entries().unwrap();
    entries.retain(|entry| entry.name() == "purge-answers");
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

#[tokio::test]
async fn the_queue_is_tidied_by_a_job_of_its_own() {
    let world = World::at("2027-03-27T12:00:00Z", Tz::Europe__Paris).await;
    let run = Run { tenant: None, last_attempt: false };
    let outcome = MaintainQueue {}.perform(run, &world.services()).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(Some(_))), "{outcome:?}");
    let mut owner = sqlx::PgConnection::connect_with(&world.database.owner_options()).await.unwrap();
    let days: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'queue.job_history'::regclass",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert!(days > 1, "only the default partition is there");
}
