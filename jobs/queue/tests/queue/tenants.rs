//! What a tenant can do with its own jobs, and cannot with another's.

use permanence_queue::{
    Cancelled, Claimed, Error, NewJob, Outcome, Rescheduled, Unique, cancel, clock::SystemClock, complete_in,
    enqueue, reschedule,
};
use tokio_util::sync::CancellationToken;

use crate::{
    assert_err,
    support::{Count, Running, as_tenant, database, tenant},
};

fn job(of: u128) -> NewJob {
    NewJob::of(&Count { n: 1 }).unwrap().tenant(tenant(of))
}

#[tokio::test]
async fn a_tenant_handles_its_own_jobs_and_no_others() {
    let db = database().await;
    let mut one = db.as_tenant(tenant(1)).await;
    let mut two = db.as_tenant(tenant(2)).await;
    let id = enqueue(&mut one, &SystemClock, job(1)).await.unwrap().id;

    let see = "SELECT count(*) FROM queue.jobs";
    assert_eq!(sqlx::query_scalar::<_, i64>(see).fetch_one(&mut one).await.unwrap(), 1);
    assert_eq!(sqlx::query_scalar::<_, i64>(see).fetch_one(&mut two).await.unwrap(), 0);

    let now = permanence_queue::clock::Clock::now(&SystemClock);
    assert_eq!(cancel(&mut two, &SystemClock, id).await.unwrap(), Cancelled::NotFound);
    assert_eq!(reschedule(&mut two, &SystemClock, id, now).await.unwrap(), Rescheduled::NotWaiting);
    assert_err!(enqueue(&mut two, &SystemClock, job(1)).await, Error::Database(_));
    assert_err!(
        enqueue(&mut two, &SystemClock, NewJob::of(&Count { n: 1 }).unwrap()).await,
        Error::Database(_)
    );

    assert_eq!(cancel(&mut one, &SystemClock, id).await.unwrap(), Cancelled::Ended);
    let history = "SELECT count(*) FROM queue.job_history";
    assert_eq!(sqlx::query_scalar::<_, i64>(history).fetch_one(&mut one).await.unwrap(), 1);
    assert_eq!(sqlx::query_scalar::<_, i64>(history).fetch_one(&mut two).await.unwrap(), 0);
}

#[tokio::test]
async fn the_same_key_of_two_tenants_is_two_keys() {
    let db = database().await;
    let mut one = db.as_tenant(tenant(1)).await;
    let mut two = db.as_tenant(tenant(2)).await;
    let unique = || Unique::forever("report");

    assert!(!enqueue(&mut one, &SystemClock, job(1).unique(unique())).await.unwrap().existing);
    assert!(!enqueue(&mut two, &SystemClock, job(2).unique(unique())).await.unwrap().existing);
    assert!(enqueue(&mut one, &SystemClock, job(1).unique(unique())).await.unwrap().existing);
}

#[tokio::test]
async fn a_tenant_completes_its_own_job_in_its_transaction_only() {
    let db = database().await;
    let mut one = db.as_tenant(tenant(1)).await;
    let id = enqueue(&mut one, &SystemClock, job(1)).await.unwrap().id;
    let login = db.login.clone();
    let worker = Running::start(db.worker(), move |job: Claimed, _: CancellationToken| {
        let login = login.clone();
        async move {
            let mut other = as_tenant(&login, tenant(2)).await;
            assert_err!(complete_in(&mut other, &SystemClock, &job.lease, None).await, Error::StaleLease);
            let mut own = as_tenant(&login, job.tenant.unwrap()).await;
            complete_in(&mut own, &SystemClock, &job.lease, None).await.unwrap();
            Outcome::Completed
        }
    });
    db.wait_for_state(id, "completed").await;
    worker.stop().await;
}

#[tokio::test]
async fn the_login_role_and_the_partitions_show_nothing() {
    let db = database().await;
    db.enqueue(1).await;
    let login = sqlx::PgPool::connect_lazy_with(db.login.clone());

    assert!(sqlx::query("SELECT FROM queue.jobs").execute(&login).await.is_err());
    for partition in ["SELECT FROM queue.jobs_default", "SELECT FROM queue.job_history_90_default"] {
        assert!(sqlx::query(partition).execute(&db.pool).await.is_err(), "{partition}");
    }
    assert!(sqlx::query("SELECT queue.create_queue('mine')").execute(&db.pool).await.is_err());
}
