//! History lives in partitions, for as long as its kind wants.

use std::time::Duration;

use permanence_queue::{
    Job, NewJob, Progress, Retention, cancel,
    clock::{Clock, SimulatedClock, SystemClock},
    maintain, progress,
};
use serde::{Deserialize, Serialize};

use crate::support::{TestDb, database};

#[derive(Serialize, Deserialize)]
struct Fleeting;

impl Job for Fleeting {
    const KIND: &'static str = "test.fleeting";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(1);
    const RETENTION: Retention = Retention::Week;
}

#[derive(Serialize, Deserialize)]
struct Lasting;

impl Job for Lasting {
    const KIND: &'static str = "test.lasting";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(1);
    const RETENTION: Retention = Retention::Decade;
}

async fn partitions(db: &TestDb) -> Vec<String> {
    sqlx::query_scalar("SELECT tableoid::regclass::text FROM queue.job_history ORDER BY id")
        .fetch_all(&db.owner())
        .await
        .unwrap()
}

#[tokio::test]
async fn each_kind_is_kept_for_its_time_and_dropped_with_its_partition() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let clock = SimulatedClock::at("2031-05-04T12:00:00Z".parse().unwrap());
    let day = Duration::from_hours(24);

    // Ended before the day had its partition: kept in the default one, and moved.
    for job in [NewJob::of(&Fleeting), NewJob::of(&crate::support::Count { n: 1 }), NewJob::of(&Lasting)] {
        let id = db.enqueue_job(job.unwrap()).await.unwrap();
        cancel(&mut conn, &clock, id).await.unwrap();
    }
    assert_eq!(maintain(&mut conn, &clock).await.unwrap().partitions_dropped, 0);
    let [week, quarter, decade] =
        ["7_20310504", "90_20310504", "3650_20310501"].map(|p| format!("queue.job_history_{p}"));
    assert_eq!(partitions(&db).await, [week, quarter.clone(), decade.clone()]);
    assert_eq!(maintain(&mut conn, &clock).await.unwrap().partitions_dropped, 0, "again changes nothing");

    clock.advance(7 * day);
    assert_eq!(
        maintain(&mut conn, &clock).await.unwrap().partitions_dropped,
        0,
        "the day itself still counts"
    );
    clock.advance(day);
    maintain(&mut conn, &clock).await.unwrap();
    assert_eq!(partitions(&db).await, [quarter, decade.clone()]);
    clock.advance(90 * day);
    maintain(&mut conn, &clock).await.unwrap();
    assert_eq!(partitions(&db).await, [decade]);
    clock.advance(3700 * day);
    maintain(&mut conn, &clock).await.unwrap();
    assert_eq!(partitions(&db).await, Vec::<String>::new());

    cancel(&mut conn, &SystemClock, db.enqueue(2).await).await.unwrap();
    assert_eq!(partitions(&db).await.len(), 1, "a day long past still has its place");
}

#[tokio::test]
async fn the_progress_of_a_job_that_ended_long_ago_is_forgotten() {
    let db = database().await;
    let clock = SimulatedClock::at("2031-05-04T12:00:00Z".parse().unwrap());
    let [ended, running] = [1, 2].map(|n| NewJob::of(&crate::support::Count { n }).unwrap());
    let [ended, running] = [db.enqueue_job(ended).await.unwrap(), db.enqueue_job(running).await.unwrap()];
    for id in [ended, running] {
        sqlx::query("INSERT INTO queue.job_progress (job_id, done, updated_at) VALUES ($1, 1, $2)")
            .bind(id.0)
            .bind(clock.now())
            .execute(&db.owner())
            .await
            .unwrap();
    }
    let mut conn = db.pool.acquire().await.unwrap();
    cancel(&mut conn, &clock, ended).await.unwrap();
    clock.advance(Duration::from_hours(24 * 90));
    assert_eq!(maintain(&mut conn, &clock).await.unwrap().progress_forgotten, 0, "ninety days are kept");
    clock.advance(Duration::from_secs(1));
    assert_eq!(maintain(&mut conn, &clock).await.unwrap().progress_forgotten, 1);
    assert_eq!(progress(&mut conn, ended).await.unwrap(), None);
    assert_eq!(progress(&mut conn, running).await.unwrap(), Some(Progress { done: 1, total: None }));
}
