//! Views refreshed by jobs: debounced, visible while they run, harmless when they die.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use permanence_domain::{
    clock::{Clock, SimulatedClock, SystemClock},
    db::Actor,
    field::{Label, Language},
    figures::{View, ViewState, jobs::RefreshView, request, request_missing, view_state},
    identity::{NewTenant, create_tenant},
    ids::TenantId,
};
use permanence_queue::{JobId, NewJob};
use permanence_workers::schedule::{entries, tick};

use crate::support::{World, soon};

const VIEW: View = View::PracticeDays;

async fn ask_as(world: &World, tenant: TenantId) -> JobId {
    let mut tx = world.db.tenant(tenant, Actor::JOB).await.unwrap();
    let job = request(&mut tx, VIEW).await.unwrap();
    tx.commit().await.unwrap();
    job
}

async fn ask(world: &World) -> JobId {
    ask_as(world, world.tenant).await
}

async fn state(world: &World) -> ViewState {
    let mut tx = world.begin().await;
    view_state(&mut tx, VIEW).await.unwrap()
}

/// Waits until the view stands so.
async fn until(world: &World, what: &str, holds: impl Fn(&ViewState) -> bool) -> ViewState {
    let condition = async {
        loop {
            let state = state(world).await;
            if holds(&state) {
                return state;
            }
            // The database tells of no change: ask again shortly.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    soon(what, condition).await
}

async fn count(world: &World, query: &'static str) -> i64 {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    sqlx::query_scalar(query).fetch_one(tx.conn()).await.unwrap()
}

const LIVE: &str = "SELECT count(*) FROM queue.jobs WHERE kind = 'figures.refresh_view'";
const RUNNING: &str =
    "SELECT count(*) FROM queue.jobs WHERE kind = 'figures.refresh_view' AND state = 'running'";
const WELL: &str = "SELECT count(*) FROM view_refreshes WHERE rows IS NOT NULL";

/// How many appointments the practice's figures tell of.
async fn appointments(world: &World) -> i64 {
    let mut tx = world.begin().await;
    let sum = "SELECT COALESCE(sum(appointments), 0)::bigint FROM practice_days_between('2000-01-01', '2100-01-01')";
    sqlx::query_scalar(sum).fetch_one(tx.conn()).await.unwrap()
}

/// Puts a view in the place of the real one whose refresh takes as long as its gate is closed.
async fn with_gate(world: &World) {
    let mut owner = world.owner().await;
    sqlx::raw_sql(
        "DROP MATERIALIZED VIEW practice_days CASCADE;
         CREATE TABLE gate (closed boolean NOT NULL, tick integer NOT NULL);
         INSERT INTO gate VALUES (false, 1);
         GRANT SELECT ON gate TO permanence_system;
         CREATE FUNCTION pass_gate() RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
         BEGIN
             WHILE (SELECT closed FROM public.gate) LOOP PERFORM pg_sleep(0.01); END LOOP;
             RETURN (SELECT tick FROM public.gate);
         END $$;
         GRANT EXECUTE ON FUNCTION pass_gate() TO permanence_system;
         CREATE MATERIALIZED VIEW practice_days AS SELECT 1 AS one, pass_gate() AS tick;
         CREATE UNIQUE INDEX ON practice_days (one);
         ALTER MATERIALIZED VIEW practice_days OWNER TO permanence_system;",
    )
    .execute(&mut owner)
    .await
    .unwrap();
}

async fn gate(world: &World, closed: bool) {
    let mut owner = world.owner().await;
    let statement = "UPDATE gate SET closed = $1, tick = tick + 1";
    sqlx::query(statement).bind(closed).execute(&mut owner).await.unwrap();
}

/// What a reader of the view with the gate sees, at once or not at all.
async fn tick_of_view(world: &World) -> i32 {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    sqlx::raw_sql("SET LOCAL lock_timeout = '100ms'").execute(tx.conn()).await.unwrap();
    sqlx::query_scalar("SELECT tick FROM practice_days").fetch_one(tx.conn()).await.unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_refresh_brings_the_figures_and_tells_their_moment() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let pool = world.work_on("views");
    world.book("2027-01-12T10:00:00").await;
    assert_eq!((state(&world).await.as_of, appointments(&world).await), (None, 0), "never refreshed");
    ask(&world).await;
    world.until_idle_on(Some("views")).await;
    let first = state(&world).await;
    assert_eq!(first.as_of, Some(time("2027-01-11T08:00:00Z")));
    assert_eq!((first.took_seconds, first.refreshing_since, first.last_error), (Some(0.0), None, None));
    assert_eq!(appointments(&world).await, 1);

    world.clock.advance(std::time::Duration::from_hours(1));
    world.book("2027-01-13T10:00:00").await;
    assert_eq!(appointments(&world).await, 1, "as of the moment that is told");
    assert_eq!(state(&world).await.as_of, Some(time("2027-01-11T08:00:00Z")));
    ask(&world).await;
    world.until_idle_on(Some("views")).await;
    assert_eq!(appointments(&world).await, 2);
    assert_eq!(state(&world).await.as_of, Some(time("2027-01-11T09:00:00Z")));
    pool.drain().await;
}

#[tokio::test]
async fn of_many_who_ask_one_runs_and_one_waits() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let new = NewTenant {
        kind: "practice",
        name: Label::parse("Maison du Port").unwrap(),
        time_zone: Tz::Indian__Reunion,
        language: Language::Fr,
        phone: None,
        address: None,
    };
    let other = create_tenant(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    with_gate(&world).await;
    gate(&world, true).await;
    let first = ask(&world).await;
    for _ in 0..4 {
        assert_eq!(ask(&world).await, first, "it waits and serves all");
    }
    let pools = [world.work_on("views"), world.work_on("views")];
    let running = until(&world, "running", |state| state.refreshing_since.is_some()).await;
    assert_eq!(running.refreshing_since, Some(time("2027-01-11T08:00:00Z")), "a long refresh is visible");
    let second = ask(&world).await;
    assert_ne!(second, first, "what runs may not see what was written last");
    for _ in 0..4 {
        assert_eq!(ask(&world).await, second);
    }
    assert_eq!((count(&world, LIVE).await, count(&world, RUNNING).await), (2, 1));
    assert_eq!(tick_of_view(&world).await, 1, "readers see what was");
    // Another practice gets a job of its own to follow, and no refresh.
    ask_as(&world, other).await;
    gate(&world, false).await;
    world.until_idle_on(Some("views")).await;
    assert_eq!((count(&world, WELL).await, count(&world, LIVE).await), (2, 0));
    assert_eq!(tick_of_view(&world).await, 3);
    for pool in pools {
        pool.drain().await;
    }
}

#[tokio::test]
async fn a_job_run_twice_refreshes_once() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    for _ in 0..2 {
        tx.enqueue(NewJob::of(&RefreshView { view: VIEW, after: 0 }).unwrap()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let pool = world.work_on("views");
    world.until_idle_on(Some("views")).await;
    assert_eq!(count(&world, "SELECT count(*) FROM view_refreshes").await, 1);
    assert_eq!(
        count(&world, "SELECT count(*) FROM queue.job_history WHERE kind = 'figures.refresh_view' AND state = 'completed'").await,
        2
    );
    pool.drain().await;
}

#[tokio::test]
async fn a_refresh_that_fails_says_so_and_leaves_what_was() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let pool = world.work_on("views");
    world.book("2027-01-12T10:00:00").await;
    ask(&world).await;
    world.until_idle_on(Some("views")).await;
    let mut owner = world.owner().await;
    // Without its unique index a view cannot be refreshed beside its readers.
    sqlx::raw_sql("DROP INDEX practice_days_key").execute(&mut owner).await.unwrap();
    world.clock.advance(std::time::Duration::from_hours(1));
    world.book("2027-01-13T10:00:00").await;
    ask(&world).await;
    let failed = until(&world, "failed", |state| state.last_error.is_some()).await;
    assert_eq!((failed.last_error.as_deref(), failed.refreshing_since), (Some("internal"), None));
    assert_eq!((failed.as_of, appointments(&world).await), (Some(time("2027-01-11T08:00:00Z")), 1));

    sqlx::raw_sql("CREATE UNIQUE INDEX practice_days_key ON practice_days (tenant_id, day)")
        .execute(&mut owner)
        .await
        .unwrap();
    world.clock.advance(std::time::Duration::from_mins(5));
    let well = until(&world, "tried again", |state| state.last_error.is_none()).await;
    assert!(well.as_of > failed.as_of, "{well:?}");
    assert_eq!(appointments(&world).await, 2);
    pool.drain().await;
}

#[tokio::test]
async fn a_refresh_is_cancelled_while_it_runs() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    with_gate(&world).await;
    gate(&world, true).await;
    let job = ask(&world).await;
    let pool = world.work_on("views");
    until(&world, "running", |state| state.refreshing_since.is_some()).await;
    let mut tx = world.begin().await;
    tx.cancel_job(job).await.unwrap();
    tx.commit().await.unwrap();
    let ended = until(&world, "cancelled", |state| state.refreshing_since.is_none()).await;
    assert_eq!((ended.as_of, ended.last_error.as_deref()), (None, Some("cancelled")));
    gone(&world).await;
    assert_eq!(tick_of_view(&world).await, 1);
    pool.drain().await;
}

/// Waits until the server has stopped every refresh, though the gate is closed.
async fn gone(world: &World) {
    let condition = async {
        loop {
            let at_work = count(
                world,
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND state = 'active' AND query LIKE 'REFRESH %'",
            )
            .await;
            if at_work == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    soon("the server stops", condition).await;
}

const POOL: &str = env!("CARGO_BIN_EXE_views");

#[tokio::test]
async fn a_killed_workers_refresh_leaves_what_was_and_is_run_again() {
    let clock = Arc::new(SystemClock);
    let world = World::with_clock(Arc::new(SimulatedClock::at(clock.now())), clock, Tz::UTC).await;
    with_gate(&world).await;
    gate(&world, true).await;
    ask(&world).await;
    let mut worker = world.start(POOL);
    until(&world, "running", |state| state.refreshing_since.is_some()).await;
    worker.kill().expect("killed");
    worker.wait().expect("gone");
    gone(&world).await;
    assert_eq!(tick_of_view(&world).await, 1, "readers see what was");

    gate(&world, false).await;
    let mut rescuer = world.start(POOL);
    let state = until(&world, "refreshed", |state| state.as_of.is_some()).await;
    rescuer.kill().expect("killed");
    rescuer.wait().expect("gone");
    assert_eq!((state.refreshing_since, state.last_error), (None, None));
    assert_eq!(tick_of_view(&world).await, 3);
    assert_eq!(
        count(&world, "SELECT count(*) FROM view_refreshes WHERE error = 'interrupted'").await,
        1,
        "the dead one's"
    );
}

#[tokio::test]
async fn views_are_refreshed_every_six_hours_and_once_when_they_are_new() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let pool = world.work_on("views");
    let missing = async || {
        let mut tx = world.db.system(Actor::JOB).await.unwrap();
        let missing = request_missing(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        world.until_idle_on(Some("views")).await;
        missing
    };
    assert_eq!((missing().await, missing().await), (View::ALL.len(), 0));
    let mut entries = entries().unwrap();
    entries.retain(|entry| entry.name() == "refresh-views");
    let mut moments = Vec::new();
    for _ in 0..(24 * 2) {
        tick(&world.db, &entries).await.unwrap();
        world.until_idle_on(Some("views")).await;
        moments.extend(state(&world).await.as_of.map(|moment| moment.format("%H:%M").to_string()));
        world.clock.advance(std::time::Duration::from_mins(30));
    }
    moments.dedup();
    // The quarter of an hour of Paris, seen by a tick each half hour.
    assert_eq!(moments, ["08:00", "11:30", "17:30", "23:30", "05:30"]);
    pool.drain().await;
}
