//! Requests that nobody answers: told in time, twice and no more, to those who may answer, without a patient's name.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    Error,
    access::{self, jobs::WatchAccessRequests},
    db::Actor,
    exports::ExportStatus,
    identity::Role,
    ids::UserId,
    notifications::{Inbox, NotificationKind, inbox},
    page::PageQuery,
};
use permanence_embedded::{mail::MailFault, outbox::Mail};
use permanence_queue::NewJob;

use super::{ask, fetch, until};
use crate::{
    stock::member,
    support::{World, soon},
};

const NOW: &str = "2027-01-04T08:00:00Z";

async fn told(world: &World, user: UserId) -> Inbox {
    let mut tx = world.begin().await;
    inbox(&mut tx, user, PageQuery::default()).await.unwrap()
}

/// The morning of a day, as the scheduler begins it.
async fn morning(world: &World, day: &str) {
    world.clock.set(format!("{day}T07:17:00Z").parse().unwrap());
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    tx.enqueue(NewJob::of(&WatchAccessRequests {}).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    world.until_idle_on(Some("privacy")).await;
}

async fn statuses(world: &World) -> Vec<String> {
    let mut tx = world.begin().await;
    let statement = "SELECT status FROM access_digests ORDER BY created_at, id";
    sqlx::query_scalar(statement).fetch_all(tx.conn()).await.unwrap()
}

async fn overdue(world: &World) -> i64 {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    access::overdue(&mut tx).await.unwrap()
}

#[tokio::test]
async fn a_practice_is_told_a_week_before_the_last_day_and_on_the_day_before_it() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let (doctor, front) =
        (member(&world, "doctor", Role::Practitioner).await, member(&world, "front", Role::Assistant).await);
    let request = ask(&world).await;
    assert_eq!(request.due_on.to_string(), "2027-02-04");
    let (pool, reminders) = (world.work_on("privacy"), world.work());
    morning(&world, "2027-01-27").await;
    assert_eq!(told(&world, doctor).await.total, 0, "eight days are left");
    for (day, total) in [
        ("2027-01-28", 1),
        ("2027-01-29", 1),
        ("2027-02-02", 1),
        ("2027-02-03", 2),
        ("2027-02-04", 2),
        ("2027-02-05", 2),
    ] {
        assert_eq!(overdue(&world).await, 0);
        morning(&world, day).await;
        morning(&world, day).await;
        assert_eq!((told(&world, doctor).await.total, told(&world, front).await.total), (total, 0), "{day}");
    }
    assert_eq!(overdue(&world).await, 1, "its last day is over");
    world.until_idle().await;
    let first = &told(&world, doctor).await.items[1];
    assert_eq!(
        (first.kind, first.resource.as_str(), first.resource_id),
        (NotificationKind::AccessRequestDue, "access_request", Some(request.id.0))
    );
    let mails = world.outbox.mails();
    assert_eq!(mails.len(), 2, "one at each step");
    assert_eq!(mails[0].subject().as_deref(), Some("Cabinet des Lilas : 1 demande d’accès à traiter"));
    for text in mails.iter().filter_map(Mail::text).chain([first.body.clone()]) {
        assert!(!text.contains("Garcia") && text.contains("4 février 2027"), "{text}");
    }
    assert_eq!(statuses(&world).await, ["sent", "sent"]);
    pool.drain().await;
    reminders.drain().await;
}

#[tokio::test]
async fn what_was_answered_meanwhile_is_not_told_and_what_passed_unseen_is_told_once() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    let doctor = member(&world, "doctor", Role::Practitioner).await;
    let pool = world.work_on("privacy");
    let request = ask(&world).await;
    until(&world, request.id, ExportStatus::Completed).await;
    // Nobody looked for a month.
    morning(&world, "2027-02-10").await;
    assert_eq!(told(&world, doctor).await.total, 1);
    assert!(told(&world, doctor).await.items[0].title.contains("en retard"));
    // Asked anew and fetched: both are answered, and the mail that waited is void.
    let again = ask(&world).await;
    until(&world, again.id, ExportStatus::Completed).await;
    fetch(&world, again.id).await.unwrap();
    assert_eq!(overdue(&world).await, 0);
    let reminders = world.work();
    world.until_idle().await;
    assert_eq!((statuses(&world).await, world.outbox.mails().len()), (vec!["void".to_owned()], 0));
    morning(&world, "2027-03-09").await;
    assert_eq!(told(&world, doctor).await.total, 1);
    // Somebody who was erased is not waited for.
    let mut tx = world.begin().await;
    let open = access::request_of_patient(&mut tx, world.patient).await.unwrap();
    sqlx::query("UPDATE patients SET deleted_at = now(), erased_at = now()")
        .execute(tx.conn())
        .await
        .unwrap();
    let void = access::get(&mut tx, open.id).await.unwrap();
    assert_eq!((open.standing, void.standing), (access::Standing::Open, access::Standing::Void));
    let refused = access::request_of_patient(&mut tx, world.patient).await;
    assert!(matches!(refused, Err(Error::Conflict { code: "person_erased", .. })));
    assert_eq!(access::watch(&mut tx).await.unwrap(), 0);
    tx.rollback().await.unwrap();
    pool.drain().await;
    reminders.drain().await;
}

#[tokio::test]
async fn a_digest_is_sent_once_whatever_the_mail_server_does() {
    let world = World::at(NOW, Tz::Europe__Paris).await;
    member(&world, "doctor", Role::Practitioner).await;
    ask(&world).await;
    world.mail.faults().next(1, MailFault::MessageDeferred);
    let (pool, reminders) = (world.work_on("privacy"), world.work());
    morning(&world, "2027-01-28").await;
    world.until_idle().await;
    assert_eq!(statuses(&world).await, ["pending"], "certainly not taken: it waits");
    world.clock.advance(Duration::from_mins(1));
    soon("the mail", world.outbox.wait_for(|messages| !messages.is_empty())).await;
    world.until_idle().await;
    // Of the next the server takes the mail and says nothing, and the worker dies: it is not sent again.
    world.mail.faults().always(MailFault::HangAfterData);
    world.clock.set("2027-02-03T07:17:00Z".parse().unwrap());
    let mut tx = world.begin().await;
    assert_eq!(access::watch(&mut tx).await.unwrap(), 1);
    tx.commit().await.unwrap();
    soon("the second", world.outbox.wait_for(|messages| messages.len() == 2)).await;
    reminders.kill().await;
    world.mail.faults().clear();
    let reminders = world.work();
    let uncertain = async {
        while statuses(&world).await != ["sent", "uncertain"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("uncertain", uncertain).await;
    assert_eq!(world.outbox.mails().len(), 2);
    pool.drain().await;
    reminders.drain().await;
}
