//! Queues with lanes: turns between tenants, limits, rates.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use permanence_queue::{
    Claimed, Error, Job, Limits, NewJob, Outcome,
    clock::{Clock, SimulatedClock, SystemClock},
    enqueue, enqueue_all, set_limits, set_rate, use_lanes,
};
use tokio_util::sync::CancellationToken;

use crate::{
    assert_err,
    support::{Count, Running, TestDb, database, eventually, tenant},
};

fn job(n: i64, of: u128) -> NewJob {
    NewJob::of(&Count { n }).unwrap().tenant(tenant(of))
}

/// How many jobs of each tenant ran at once, at most, and in which order tenants ran.
#[derive(Default)]
struct Watch {
    now: HashMap<u128, usize>,
    most: HashMap<u128, usize>,
    most_together: usize,
    order: Vec<u128>,
}

fn watching(db: &TestDb, concurrency: usize) -> (Arc<Mutex<Watch>>, Running) {
    let watch: Arc<Mutex<Watch>> = Arc::default();
    let seen = Arc::clone(&watch);
    let worker =
        Running::start(db.worker().concurrency(concurrency), move |job: Claimed, _: CancellationToken| {
            let seen = Arc::clone(&seen);
            let of = job.tenant.unwrap().as_u128();
            async move {
                {
                    let mut watch = seen.lock().unwrap();
                    watch.order.push(of);
                    let now = watch.now.entry(of).or_default();
                    *now += 1;
                    let now = *now;
                    let most = watch.most.entry(of).or_default();
                    *most = now.max(*most);
                    watch.most_together = watch.most_together.max(watch.now.values().sum());
                }
                // Long enough for another claim to overlap.
                tokio::time::sleep(Duration::from_millis(15)).await;
                *seen.lock().unwrap().now.get_mut(&of).unwrap() -= 1;
                Outcome::Done(None)
            }
        });
    (watch, worker)
}

async fn until_empty(db: &TestDb) {
    eventually("the queue is empty", async || db.count("SELECT count(*) FROM queue.jobs").await == 0).await;
}

#[tokio::test]
async fn a_tenant_with_few_jobs_does_not_wait_for_one_with_many() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    use_lanes(&mut conn, "default").await.unwrap();
    let flood = (0..60).map(|n| job(n, 1)).collect();
    enqueue_all(&mut conn, &SystemClock, flood).await.unwrap();
    enqueue_all(&mut conn, &SystemClock, vec![job(0, 2), job(1, 2), job(0, 3)]).await.unwrap();

    let (watch, worker) = watching(&db, 4);
    until_empty(&db).await;
    worker.stop().await;

    let order = watch.lock().unwrap().order.clone();
    let small = |of| order.iter().rposition(|&tenant| tenant == of).unwrap();
    assert!(small(0xA002) < 8 && small(0xA003) < 4, "{order:x?}");
    assert_eq!(order.len(), 63);
}

#[tokio::test]
async fn limits_hold_for_the_queue_and_for_each_tenant_over_all_workers() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let limits = Limits { running: Some(5), running_per_tenant: Some(2) };
    set_limits(&mut conn, "default", limits).await.unwrap();
    let jobs = (0..48).map(|n| job(n, u128::from(n % 4 == 0) + u128::from(n % 8 == 0))).collect();
    enqueue_all(&mut conn, &SystemClock, jobs).await.unwrap();

    let workers = [watching(&db, 8), watching(&db, 8)];
    let running = async || -> (i64, i64) {
        sqlx::query_as(
            "SELECT COALESCE(sum(n), 0)::bigint, COALESCE(max(n), 0)::bigint
             FROM (SELECT count(*) AS n FROM queue.jobs WHERE state = 'running' GROUP BY tenant_id) AS t",
        )
        .fetch_one(&db.pool)
        .await
        .unwrap()
    };
    eventually("the queue is empty, never over its limits", async || {
        let (all, of_one) = running().await;
        assert!(all <= 5 && of_one <= 2, "{all} run, {of_one} of one tenant");
        db.count("SELECT count(*) FROM queue.jobs").await == 0
    })
    .await;
    for (watch, worker) in workers {
        worker.stop().await;
        let watch = watch.lock().unwrap();
        assert!(watch.most_together <= 5 && watch.most.values().all(|&most| most <= 2));
    }
    assert_err!(set_limits(&mut conn, "nowhere", limits).await, Error::NoSuchQueue(_));
}

#[tokio::test]
async fn a_rate_spaces_the_starts_of_its_key_and_of_no_other() {
    let db = database().await;
    let clock = SimulatedClock::at(SystemClock.now());
    let mut conn = db.pool.acquire().await.unwrap();
    use_lanes(&mut conn, "default").await.unwrap();
    set_rate(&mut conn, &clock, "sms", 2.0, 3).await.unwrap();
    for n in 0..10 {
        enqueue(&mut conn, &clock, job(n, 1).rate_key("sms")).await.unwrap();
    }
    enqueue(&mut conn, &clock, job(0, 2)).await.unwrap();
    let worker = Running::start(
        db.worker().clock(Arc::new(clock.clone())),
        async |_: Claimed, _: CancellationToken| Outcome::Done(None),
    );
    let done = async || db.count("SELECT count(*) FROM queue.job_history WHERE rate_key = 'sms'").await;
    let free = "SELECT count(*) FROM queue.job_history WHERE rate_key IS NULL";
    eventually("the burst and the free one", async || done().await == 3 && db.count(free).await == 1).await;
    for expected in [5, 7, 9, 10] {
        clock.advance(Duration::from_secs(1));
        eventually("two more a second", async || done().await == expected).await;
        let tokens = "SELECT floor(tokens)::bigint FROM queue.rates";
        assert!(expected == 10 || db.count(tokens).await == 0);
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_plain_queue_refuses_what_it_could_not_honour() {
    let db = database().await;
    assert_err!(db.enqueue_job(job(1, 1).rate_key("sms")).await, Error::NoLanes(_));
}

#[tokio::test]
async fn a_queue_gets_its_lanes_while_workers_run() {
    let db = database().await;
    let (watch, worker) = watching(&db, 2);
    let before = db.enqueue_job(job(1, 1)).await.unwrap();
    db.wait_for_state(before, "completed").await;
    let mut conn = db.pool.acquire().await.unwrap();
    use_lanes(&mut conn, "default").await.unwrap();
    use_lanes(&mut conn, "default").await.unwrap();
    let after = db.enqueue_job(job(2, 1)).await.unwrap();
    db.wait_for_state(after, "completed").await;
    worker.stop().await;
    assert_eq!(watch.lock().unwrap().order.len(), 2);
}

#[tokio::test]
async fn in_a_lane_what_was_due_first_runs_first() {
    let db = database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    use_lanes(&mut conn, Count::QUEUE).await.unwrap();
    let clock = SimulatedClock::at(SystemClock.now());
    let due = |n: i64, minutes: u64| job(n, 1).run_at(clock.now() + Duration::from_mins(minutes));
    let jobs = vec![due(3, 3), due(1, 1), due(4, 4), due(2, 2), due(0, 9).priority(-1)];
    enqueue_all(&mut conn, &clock, jobs).await.unwrap();
    clock.advance(Duration::from_mins(10));
    let order: Arc<Mutex<Vec<i64>>> = Arc::default();
    let seen = Arc::clone(&order);
    let worker = db.worker().concurrency(1).clock(Arc::new(clock));
    let worker = Running::start(worker, move |job: Claimed, _: CancellationToken| {
        seen.lock().unwrap().push(job.decode::<Count>().unwrap().n);
        async { Outcome::Done(None) }
    });
    eventually("all ran", async || order.lock().unwrap().len() == 5).await;
    worker.stop().await;
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
}
