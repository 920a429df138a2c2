//! Reminders: at their time, once, and what becomes of them when a provider fails.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    clock::Clock,
    db::Actor,
    field::Phone,
    identity::Role,
    notifications::{MessageLog, MessageStatus, content::gsm7::measure, jobs::SendMessage},
    scheduling,
};
use permanence_embedded::{mail::MailFault, sms::SmsFault};
use permanence_queue::Outcome;
use permanence_workers::perform::{Perform, Run};

use crate::support::{World, by_email, by_nothing, by_sms, soon};

fn events(reminder: &MessageLog) -> Vec<&str> {
    reminder.events.iter().map(|event| event.event.as_str()).collect()
}

#[tokio::test]
async fn an_sms_leaves_a_day_before_and_once() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    world.decide(|settings, _| settings["sms_sender"] = "CabLilas".into()).await;
    let pool = world.work();
    let id = world.book("2027-01-15T14:30:00").await;
    world.clock.set("2027-01-14T13:29:59Z".parse().unwrap());
    world.until_idle().await;
    assert_eq!(world.outbox.messages().len(), 0, "not a second early");
    world.clock.set("2027-01-14T13:30:00Z".parse().unwrap());
    let reminder = world.until(id, MessageStatus::Sent).await;
    assert_eq!(events(&reminder), ["planned", "intent", "sent"]);
    assert_eq!(reminder.events[2].provider.as_deref(), Some("ovh"));

    let texts = world.outbox.texts();
    assert_eq!(texts.len(), 1);
    assert_eq!((texts[0].to.as_str(), texts[0].sender.as_str()), ("+33600000001", "CabLilas"));
    let (words, rest) = texts[0].body.split_once("https://app.example.fr/r/").expect("a link");
    assert_eq!(
        words,
        "Rappel : RDV le vendredi 15 janvier à 14h30, Cabinet des Lilas. Confirmer ou annuler : "
    );
    let (token, rest) = rest.split_at(16);
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    assert_eq!(rest, " ou 01 40 00 00 10");
    assert_eq!(measure(&texts[0].body).segments, 1, "the place gives way to the link");
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT l::text FROM patient_links l").fetch_all(tx.conn()).await.unwrap();
    assert!(kept.len() == 1 && !kept[0].contains(token), "a hash alone is kept");
    assert!(!texts[0].body.contains("Psychiatrie") && !texts[0].body.contains("Roy"));
    world.clock.advance(Duration::from_hours(168));
    world.until_idle().await;
    assert_eq!(world.outbox.messages().len(), 1, "and never again");
    pool.drain().await;
}

#[tokio::test]
async fn a_mail_says_when_and_where_and_never_why() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    world.reach(&by_email()).await;
    let pool = world.work();
    let id = world.book("2027-01-15T14:30:00").await;
    // The confirmation of the booking has left.
    world.until_idle().await;
    world.clock.set("2027-01-14T13:30:00Z".parse().unwrap());
    let reminder = world.until(id, MessageStatus::Sent).await;
    assert_eq!(world.reminded(), 1);
    let mails = world.outbox.mails();
    let mail = mails.last().unwrap();
    assert_eq!(mail.to, ["helene@garcia.example"]);
    let text = mail.text().unwrap();
    assert!(text.contains("vendredi 15 janvier 2027 à 14 h 30"), "{text}");
    assert!(text.contains("Confirmer ou annuler :\nhttps://app.example.fr/r/"), "{text}");
    // RFC 8058, with a token of its own; on the confirmation too.
    for mail in &mails {
        let header = mail.header("List-Unsubscribe").expect("a way to stop");
        let url = header.trim_start_matches('<').trim_end_matches('>');
        assert!(url.starts_with("https://app.example.fr/u/"), "{header}");
        assert!(mail.text().unwrap().contains(&format!("Ne plus recevoir ces messages :\n{url}")));
        assert_eq!(mail.header("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    }
    let message_id = reminder.events[2].provider_message_id.clone().unwrap();
    assert!(message_id.contains(&reminder.message.id.to_string()), "{message_id}");
    assert!(mail.header("Message-ID").unwrap().contains(&reminder.message.id.to_string()));
    let whole = String::from_utf8_lossy(&mail.raw).into_owned() + &text + &mail.html().unwrap();
    assert!(!whole.contains("Psychiatrie") && !whole.contains("Roy"), "{whole}");
    pool.drain().await;
}

#[tokio::test]
async fn moved_and_cancelled_appointments_are_reminded_as_they_stand() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let pool = world.work();
    let (moved, cancelled) =
        (world.book("2027-01-15T14:30:00").await, world.book("2027-01-15T16:00:00").await);
    let mut tx = world.begin().await;
    let later = world.appointment("2027-01-20T09:00:00");
    scheduling::reschedule(&mut tx, Role::Assistant, moved, 1, &later).await.unwrap();
    scheduling::cancel(&mut tx, cancelled).await.unwrap();
    tx.commit().await.unwrap();
    world.clock.set("2027-01-14T18:00:00Z".parse().unwrap());
    world.until_idle().await;
    assert_eq!(world.reminded(), 0);
    assert!(world.outbox.texts()[0].body.contains("annulé"), "{:?}", world.outbox.texts());
    world.clock.set("2027-01-19T08:00:00Z".parse().unwrap());
    world.until(moved, MessageStatus::Sent).await;
    assert_eq!(world.reminded(), 1);
    let words = world.outbox.texts().pop().unwrap().body;
    assert!(words.contains("mercredi 20 janvier à 9h"), "{words}");
    pool.drain().await;
}

#[tokio::test]
async fn the_job_run_twice_has_one_effect() {
    let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    let id = world.book("2027-01-15T14:30:00").await;
    let job = SendMessage { message_id: world.log(id).await[0].message.id };
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    let services = world.services();
    assert_eq!(job.perform(run, &services).await.unwrap(), Outcome::Done(None));
    assert_eq!(job.perform(run, &services).await.unwrap(), Outcome::Done(None));
    assert_eq!(world.outbox.messages().len(), 1);
    let (one, two) = tokio::join!(job.perform(run, &services), job.perform(run, &services));
    assert_eq!((one.unwrap(), two.unwrap()), (Outcome::Done(None), Outcome::Done(None)));
    assert_eq!(world.outbox.messages().len(), 1);
}

#[tokio::test]
async fn a_job_of_another_tenant_finds_nothing() {
    let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    let other = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    let id = world.book("2027-01-15T14:30:00").await;
    let job = SendMessage { message_id: world.log(id).await[0].message.id };
    let stranger = Run { tenant: Some(other.tenant), last_attempt: false };
    assert_eq!(job.perform(stranger, &world.services()).await.unwrap(), Outcome::Done(None));
    assert_eq!(world.outbox.messages().len(), 0);
    assert_eq!(world.log(id).await[0].message.status, MessageStatus::Planned, "nor is it touched");
}

#[tokio::test]
async fn a_refusal_for_now_is_tried_again_until_it_is_of_no_use() {
    let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    world.reach(&by_email()).await;
    world.mail.faults().next(3, MailFault::RecipientDeferred);
    let pool = world.work();
    let id = world.book("2027-01-15T14:30:00").await;
    let mut sent = false;
    for _ in 0..40 {
        world.until_idle().await;
        sent = world.log(id).await[0].message.status == MessageStatus::Sent;
        if sent {
            break;
        }
        world.clock.advance(Duration::from_secs(15));
    }
    let log = world.log(id).await;
    assert!(sent, "{log:?}");
    // The confirmation of the booking meets the refusals too.
    assert_eq!(events(&log[0])[..3], ["planned", "intent", "retry"]);
    assert_eq!(log[0].events[2].code.as_deref(), Some("smtp_450"));
    assert_eq!(world.reminded(), 1);

    world.mail.faults().always(MailFault::Unavailable);
    let late = world.book("2027-01-15T16:00:00").await;
    while world.clock.now() < "2027-01-15T15:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() {
        world.clock.advance(Duration::from_mins(30));
        world.until_idle().await;
    }
    let expired = world.until(late, MessageStatus::Expired).await;
    assert_eq!(expired.events.last().unwrap().code.as_deref(), Some("too_late"));
    assert_eq!(world.reminded(), 1);
    pool.drain().await;
}

#[tokio::test]
async fn a_refusal_for_good_is_told_and_not_repeated() {
    let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    world.sms.faults().always(SmsFault::InvalidNumber);
    let pool = world.work();
    let id = world.book("2027-01-15T14:30:00").await;
    let failed = world.until(id, MessageStatus::Failed).await;
    assert_eq!(failed.events.last().unwrap().code.as_deref(), Some("ovh_invalid_receiver"));
    world.clock.advance(Duration::from_hours(2));
    world.until_idle().await;
    assert_eq!(events(&world.log(id).await[0]), ["planned", "intent", "failed"]);
    pool.drain().await;
}

#[tokio::test]
async fn a_provider_that_takes_it_and_does_not_answer_gets_no_second_one() {
    for (sms, fault) in [(true, 0), (true, 1), (false, 0)] {
        let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
        if sms {
            world.sms.faults().always(if fault == 0 {
                SmsFault::DropAfterAccept
            } else {
                SmsFault::HangAfterAccept
            });
        } else {
            world.reach(&by_email()).await;
            world.mail.faults().always(MailFault::DropAfterData);
        }
        let pool = world.work();
        let id = world.book("2027-01-15T14:30:00").await;
        let parked = world.until(id, MessageStatus::Uncertain).await;
        assert_eq!(events(&parked), ["planned", "intent", "uncertain"]);
        for _ in 0..20 {
            world.clock.advance(Duration::from_hours(1));
            world.until_idle().await;
        }
        assert_eq!(world.reminded(), 1, "it did leave, once");
        pool.drain().await;
    }
}

#[tokio::test]
async fn a_busy_provider_is_left_alone_as_long_as_it_asks() {
    let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    world.sms.faults().next(1, SmsFault::TooManyRequests { retry_after: 120 });
    let pool = world.work();
    let id = world.book("2027-01-15T14:30:00").await;
    let back = async {
        while events(&world.log(id).await[0]) != ["planned", "intent", "retry"] {
            tokio::task::yield_now().await;
        }
    };
    soon("told to wait", back).await;
    world.until_idle().await;
    world.clock.advance(Duration::from_secs(119));
    world.until_idle().await;
    assert_eq!(world.outbox.messages().len(), 0);
    world.clock.advance(Duration::from_secs(1));
    world.until(id, MessageStatus::Sent).await;
    pool.drain().await;
}

#[tokio::test]
async fn a_consent_withdrawn_at_the_last_moment_counts() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let id = world.book("2027-01-15T14:30:00").await;
    let job = SendMessage { message_id: world.log(id).await[0].message.id };
    world.reach(&by_nothing()).await;
    world.clock.set("2027-01-14T13:30:00Z".parse().unwrap());
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    assert_eq!(job.perform(run, &world.services()).await.unwrap(), Outcome::Done(None));
    assert_eq!(world.outbox.messages().len(), 0);
    assert_eq!(world.log(id).await[0].message.status, MessageStatus::Cancelled);
}

#[tokio::test]
async fn a_mended_number_gets_the_reminder_that_the_wrong_one_could_not() {
    let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    world.sms.faults().next(1, SmsFault::InvalidNumber);
    let pool = world.work();
    let id = world.book("2027-01-15T14:30:00").await;
    world.until(id, MessageStatus::Failed).await;
    let mut mended = by_sms();
    mended.phone = Some(Phone::parse("06 00 00 00 02").unwrap());
    world.reach(&mended).await;
    world.until(id, MessageStatus::Sent).await;
    let statuses: Vec<_> = world.log(id).await.into_iter().map(|log| log.message.status).collect();
    assert_eq!(statuses, [MessageStatus::Sent, MessageStatus::Failed]);
    assert_eq!(world.outbox.texts()[0].to, "+33600000002");
    pool.drain().await;
}

#[tokio::test]
async fn a_receipt_survives_a_database_that_loses_its_connections() {
    let world = World::at("2027-01-14T13:30:00Z", Tz::Europe__Paris).await;
    let id = world.book("2027-01-15T14:30:00").await;
    let job = SendMessage { message_id: world.log(id).await[0].message.id };
    let run = Run { tenant: Some(world.tenant), last_attempt: false };
    // Every pooled connection is broken by the server between two uses.
    world.break_connections().await;
    assert_eq!(job.perform(run, &world.services()).await.unwrap(), Outcome::Done(None));
    world.break_connections().await;
    assert_eq!(world.log(id).await[0].message.status, MessageStatus::Sent);
}
