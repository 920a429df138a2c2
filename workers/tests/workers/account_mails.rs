//! Mails about an account: the link that sets a password, and the notice that it was changed; each once.

use std::time::Duration;

use chrono_tz::Tz;
use permanence_domain::{
    config::Secret,
    crypto::hash_password,
    db::Actor,
    field::{EmailAddress, FullName},
    identity::{
        AccountMailStart, ForgotPassword, Password, ResetPassword, Role, TokenHashes, add_member,
        begin_account_mail, forgot_password, jobs::SendAccountMail, reset_password,
    },
    ids::AccountMailId,
    platform::PurgeAnswers,
};
use permanence_embedded::mail::MailFault;
use permanence_queue::Outcome;
use permanence_workers::perform::{Perform, Run};

use crate::support::{REFRESH_KEY, World, soon};

const EMAIL: &str = "lea@lilas.example";
const RUN: Run = Run { tenant: None, last_attempt: false };

fn hashes() -> TokenHashes {
    TokenHashes::new(Secret::new(REFRESH_KEY))
}

/// A practice with somebody who signs in.
async fn world() -> World {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let hash = hash_password(Secret::new("Bonjour1!")).await.unwrap();
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let (email, name) = (EmailAddress::parse(EMAIL).unwrap(), FullName::parse("Léa Martin").unwrap());
    add_member(&mut tx, world.tenant, &email, &name, Role::Admin, &hash).await.unwrap();
    tx.commit().await.unwrap();
    world
}

async fn forget(world: &World, email: &str) {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let email = EmailAddress::parse(email).unwrap();
    forgot_password(&mut tx, &ForgotPassword { email }).await.unwrap();
    tx.commit().await.unwrap();
}

async fn mails(world: &World) -> Vec<(AccountMailId, String)> {
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let rows: Vec<(uuid::Uuid, String)> =
        sqlx::query_as("SELECT id, status FROM account_mails ORDER BY created_at, id")
            .fetch_all(tx.conn())
            .await
            .unwrap();
    rows.into_iter().map(|(id, status)| (AccountMailId(id), status)).collect()
}

#[tokio::test]
async fn a_link_sets_a_password_and_a_mail_says_so() {
    let world = world().await;
    let pool = world.work();
    forget(&world, "nobody@nowhere.example").await;
    forget(&world, EMAIL).await;
    soon("the mail", world.outbox.wait_for(|messages| !messages.is_empty())).await;
    world.until_idle().await;
    let sent = world.outbox.mails();
    assert_eq!(sent.len(), 1, "a stranger gets none");
    assert_eq!(
        (sent[0].to.as_slice(), sent[0].header("List-Unsubscribe")),
        ([EMAIL.to_owned()].as_slice(), None)
    );
    let text = sent[0].text().unwrap();
    let (_, token) = text.split_once("https://app.example.fr/reset-password#").expect("a link");
    let token: String = token.chars().take_while(|c| !c.is_whitespace()).collect();
    assert_eq!(token.len(), 43, "256 bits: {token}");
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let kept: Vec<String> = sqlx::query_scalar(
        "SELECT m::text FROM account_mails m UNION ALL SELECT payload::text FROM queue.job_history",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    assert!(kept.iter().all(|row| !row.contains(&token) && !row.contains("lea@")), "{kept:?}");

    world.clock.advance(Duration::from_mins(59));
    let new = ResetPassword { token: Secret::new(token), password: Password::parse("Autrement2!").unwrap() };
    reset_password(&mut tx, &hashes(), &new).await.unwrap();
    tx.commit().await.unwrap();
    soon("the notice", world.outbox.wait_for(|messages| messages.len() == 2)).await;
    world.until_idle().await;
    let notice = world.outbox.mails().pop().unwrap();
    assert_eq!(notice.subject().as_deref(), Some("Votre mot de passe a été changé"));
    assert!(notice.text().unwrap().contains("lundi 11 janvier 2027 à 9 h"), "{:?}", notice.text());
    assert_eq!(notice.header("List-Unsubscribe"), None);
    pool.drain().await;
}

#[tokio::test]
async fn it_leaves_once_however_often_the_job_runs() {
    let world = world().await;
    forget(&world, EMAIL).await;
    let job = SendAccountMail { mail_id: mails(&world).await[0].0 };
    let services = world.services();
    let twice = (job.perform(RUN, &services).await.unwrap(), job.perform(RUN, &services).await.unwrap());
    assert_eq!(twice, (Outcome::Done(None), Outcome::Done(None)));
    assert_eq!((world.outbox.mails().len(), mails(&world).await[0].1.as_str()), (1, "sent"));

    // Mails of one moment have no order.
    world.clock.advance(Duration::from_secs(1));
    // A process that died between intent and receipt: whether it left is not known, and it is asked for again.
    forget(&world, EMAIL).await;
    let job = SendAccountMail { mail_id: mails(&world).await[1].0 };
    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let start = begin_account_mail(&mut tx, &hashes(), job.mail_id).await.unwrap();
    assert!(matches!(start, AccountMailStart::Send(_)));
    tx.commit().await.unwrap();
    assert!(matches!(job.perform(RUN, &services).await.unwrap(), Outcome::Discard(_)));
    assert_eq!((world.outbox.mails().len(), mails(&world).await[1].1.as_str()), (1, "uncertain"));
}

#[tokio::test]
async fn a_refusal_for_now_is_tried_again_while_the_link_would_hold() {
    let world = world().await;
    let services = world.services();
    world.mail.faults().next(2, MailFault::RecipientDeferred);
    forget(&world, EMAIL).await;
    let job = SendAccountMail { mail_id: mails(&world).await[0].0 };
    for _ in 0..2 {
        assert!(matches!(job.perform(RUN, &services).await.unwrap(), Outcome::Retry(_)));
        assert_eq!(mails(&world).await[0].1, "pending");
    }
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(job.perform(RUN, &services).await.unwrap(), Outcome::Done(None));
    assert_eq!(world.outbox.mails().len(), 0, "a link that has ended is not sent");

    world.mail.faults().next(1, MailFault::RecipientRefused);
    forget(&world, EMAIL).await;
    let job = SendAccountMail { mail_id: mails(&world).await[1].0 };
    assert!(matches!(job.perform(RUN, &services).await.unwrap(), Outcome::Discard(_)));
    assert_eq!(mails(&world).await[1].1, "failed");
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_at_night() {
    let world = world().await;
    forget(&world, EMAIL).await;
    world.clock.advance(Duration::from_hours(30 * 24 + 1));
    forget(&world, EMAIL).await;
    for expected in [1, 0] {
        let done = PurgeAnswers {}.perform(RUN, &world.services()).await.unwrap();
        let Outcome::Done(Some(told)) = done else { panic!("{done:?}") };
        assert_eq!(told["purged"]["account_mails"], expected, "{told}");
        assert_eq!(mails(&world).await.len(), 1);
    }
}
