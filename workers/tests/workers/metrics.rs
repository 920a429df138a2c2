//! What Prometheus reads of the queues: the series and their values, as text.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    figures::{Start, View, begin, jobs::RefreshView},
    telemetry::prometheus,
};
use permanence_workers::schedule::count;

use crate::support::World;

/// The value of a series; none where the text has no such line.
fn value(text: &str, series: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    value.parse().ok()
}

#[tokio::test]
async fn the_queues_are_counted_and_the_jobs_are_timed() {
    // What is recorded in this thread, where everything but the workers' heartbeats runs.
    let recorder = prometheus().unwrap().build_recorder();
    let handle = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);

    let world = World::at("2027-01-04T08:00:00Z", Tz::Europe__Paris).await;
    world.book("2027-01-04T15:00:00").await;
    world.book("2027-01-15T10:00:00").await;
    world.clock.advance(Duration::from_secs(30));
    count(&world.db).await.unwrap();
    let before = handle.render();
    let kind = r#"queue="reminders",kind="notifications.send_message""#;
    for (series, expected) in [
        (format!("permanence_queue_enqueued_total{{{kind}}}"), 2.0),
        (r#"permanence_queue_depth{queue="reminders",state="available"}"#.to_owned(), 1.0),
        (r#"permanence_queue_depth{queue="reminders",state="scheduled"}"#.to_owned(), 1.0),
        (r#"permanence_queue_depth{queue="reminders",state="running"}"#.to_owned(), 0.0),
        (r#"permanence_queue_depth{queue="reminders",state="retryable"}"#.to_owned(), 0.0),
        (r#"permanence_queue_depth{queue="views",state="available"}"#.to_owned(), 0.0),
        (r#"permanence_queue_oldest_seconds{queue="reminders"}"#.to_owned(), 30.0),
        (r#"permanence_queue_oldest_seconds{queue="views"}"#.to_owned(), 0.0),
        (r#"permanence_queue_workers{queue="reminders"}"#.to_owned(), 0.0),
        (r#"permanence_queue_paused{queue="reminders"}"#.to_owned(), 0.0),
        ("permanence_messages_overdue".to_owned(), 1.0),
        ("permanence_messages_overdue_seconds".to_owned(), 30.0),
        ("permanence_audit_unsealed_seconds".to_owned(), 30.0),
        ("permanence_audit_unanchored_seconds".to_owned(), 0.0),
    ] {
        assert_eq!(value(&before, &series), Some(expected), "{series}\n{before}");
    }
    let tuples = value(&before, r#"permanence_queue_dead_tuples{queue="reminders"}"#);
    assert!(tuples.is_some_and(|tuples| tuples >= 0.0), "{before}");
    assert!(!before.contains("permanence_queue_started_total"), "nobody works yet");

    let pool = world.work();
    world.until_idle().await;
    let mut tx = world.db.system(permanence_domain::db::Actor::JOB).await.unwrap();
    permanence_domain::operations::pause_queue(&mut tx, "reminders").await.unwrap();
    tx.commit().await.unwrap();
    count(&world.db).await.unwrap();
    let after = handle.render();
    for (series, expected) in [
        (format!("permanence_queue_started_total{{{kind}}}"), 1.0),
        (format!(r#"permanence_queue_runs_total{{{kind},outcome="completed"}}"#), 1.0),
        // A histogram adds up over processes; a summary would have quantiles.
        (format!(r#"permanence_queue_wait_seconds_bucket{{{kind},le="15"}}"#), 0.0),
        (format!(r#"permanence_queue_wait_seconds_bucket{{{kind},le="60"}}"#), 1.0),
        (format!(r#"permanence_queue_wait_seconds_bucket{{{kind},le="21600"}}"#), 1.0),
        (format!("permanence_queue_wait_seconds_sum{{{kind}}}"), 30.0),
        (format!(r#"permanence_queue_run_seconds_bucket{{{kind},le="+Inf"}}"#), 1.0),
        (format!("permanence_queue_run_seconds_count{{{kind}}}"), 1.0),
        (r#"permanence_queue_depth{queue="reminders",state="available"}"#.to_owned(), 0.0),
        (r#"permanence_queue_oldest_seconds{queue="reminders"}"#.to_owned(), 0.0),
        (r#"permanence_queue_workers{queue="reminders"}"#.to_owned(), 1.0),
        (r#"permanence_queue_paused{queue="reminders"}"#.to_owned(), 1.0),
        ("permanence_messages_overdue".to_owned(), 0.0),
        ("permanence_messages_overdue_seconds".to_owned(), 0.0),
    ] {
        assert_eq!(value(&after, &series), Some(expected), "{series}\n{after}");
    }
    assert!(!after.contains("quantile="), "{after}");
    pool.drain().await;
}

#[tokio::test]
async fn a_views_age_is_shown_and_a_long_refresh_while_it_runs() {
    let recorder = prometheus().unwrap().build_recorder();
    let handle = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let world = World::at("2027-01-04T08:00:00Z", Tz::Europe__Paris).await;
    let shown = async || {
        count(&world.db).await.unwrap();
        let text = handle.render();
        ["age", "refreshing"]
            .map(|what| value(&text, &format!(r#"permanence_view_{what}_seconds{{view="practice_days"}}"#)))
    };
    assert_eq!(shown().await, [None, Some(0.0)], "what was never refreshed has no age");
    let asked = RefreshView { view: View::PracticeDays, after: 0 };
    let Start::Refresh(refresh) = begin(&world.db, asked).await.unwrap() else { panic!("it is its turn") };
    world.clock.advance(Duration::from_secs(15));
    assert_eq!(shown().await, [None, Some(15.0)]);
    refresh.run(&world.db).await.unwrap();
    assert_eq!(shown().await, [Some(15.0), Some(0.0)], "as old as the begin of what brought it");
}
