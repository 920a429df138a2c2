//! What became of a message after its provider took it.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::notifications::{MessageStatus, receipts::jobs::AskDeliveries};
use permanence_embedded::sms::ReportFault;
use permanence_queue::Outcome;
use permanence_workers::perform::{Perform, Run};
use serde_json::json;

use crate::support::World;

async fn ask(world: &World) -> Outcome {
    let run = Run { tenant: None, last_attempt: false };
    AskDeliveries {}.perform(run, &world.services()).await.expect("performed")
}

fn noted(count: u64) -> Outcome {
    Outcome::Done(Some(json!({ "noted": count })))
}

#[tokio::test]
async fn ovh_is_asked_until_it_knows_and_never_again() {
    let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    let pool = world.work();
    let (one, two) = (world.book("2027-01-15T14:30:00").await, world.book("2027-01-15T15:30:00").await);
    world.until(one, MessageStatus::Sent).await;
    assert_eq!(ask(&world).await, noted(0), "it has just left");
    world.clock.advance(Duration::from_hours(1));
    world.until(two, MessageStatus::Sent).await;
    world.clock.advance(Duration::from_mins(1));

    world.sms.reports().always(ReportFault::Never);
    assert_eq!(ask(&world).await, noted(0));
    world.sms.reports().next(1, ReportFault::Undelivered);
    assert_eq!(ask(&world).await, noted(2));
    world.sms.reports().always(ReportFault::Undelivered);
    assert_eq!(ask(&world).await, noted(0), "nobody is asked again");
    // The newest is asked for first.
    for (appointment, status, event, code) in [
        (one, MessageStatus::Delivered, "delivered", None),
        (two, MessageStatus::Undelivered, "undelivered", Some("ovh_ptt_1003")),
    ] {
        let reminder = world.log(appointment).await.remove(0);
        let last = reminder.events.last().unwrap();
        assert_eq!((last.event.as_str(), last.code.as_deref()), (event, code));
        assert_eq!(reminder.message.status, status);
        assert_eq!(reminder.events.len(), 4, "planned, intent, sent and one report");
    }
    pool.drain().await;
}

#[tokio::test]
async fn a_provider_that_is_away_is_asked_by_the_next_run() {
    let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    let pool = world.work();
    let id = world.book("2027-01-15T14:30:00").await;
    world.until(id, MessageStatus::Sent).await;
    pool.drain().await;
    world.clock.advance(Duration::from_mins(1));
    let services = world.services();
    world.sms.stop().await;
    let run = Run { tenant: None, last_attempt: false };
    assert_eq!(AskDeliveries {}.perform(run, &services).await.unwrap(), noted(0));
}
