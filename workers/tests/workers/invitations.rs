//! Invitations by mail.

use chrono_tz::Tz;
use permanence_domain::{
    db::Actor,
    field::{EmailAddress, FullName},
    identity::{NewMember, Role, invite},
};

use crate::support::{World, soon};

#[tokio::test]
async fn an_invitation_leaves_once_and_its_token_is_kept_nowhere() {
    let world = World::at("2027-01-11T08:00:00Z", Tz::Europe__Paris).await;
    let pool = world.work();
    let mut tx = world.begin().await;
    let member = NewMember {
        email: EmailAddress::parse("lea@lilas.example").unwrap(),
        full_name: FullName::parse("Léa Martin").unwrap(),
        role: Role::Assistant,
    };
    invite(&mut tx, &member).await.unwrap();
    tx.commit().await.unwrap();
    soon("the mail", world.outbox.wait_for(|messages| !messages.is_empty())).await;
    world.until_idle().await;
    let mails = world.outbox.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["lea@lilas.example"]);
    assert_eq!(mails[0].header("List-Unsubscribe"), None, "there is no list to leave");
    let text = mails[0].text().unwrap();
    let (_, token) = text.split_once("https://app.example.fr/invitation#").expect("a link");
    let token: String = token.chars().take_while(|c| !c.is_whitespace()).collect();
    assert_eq!(token.len(), 43, "256 bits: {token}");

    let mut tx = world.db.system(Actor::JOB).await.unwrap();
    let row: (String, Vec<u8>) =
        sqlx::query_as("SELECT status, token_hash FROM invitations").fetch_one(tx.conn()).await.unwrap();
    assert_eq!((row.0.as_str(), row.1.len()), ("sent", 32));
    let jobs: Vec<String> =
        sqlx::query_scalar("SELECT payload::text FROM queue.job_history").fetch_all(tx.conn()).await.unwrap();
    assert!(
        !jobs.is_empty() && jobs.iter().all(|job| !job.contains(&token) && !job.contains("lea@")),
        "{jobs:?}"
    );
    pool.drain().await;
}
