//! A worker process killed for real, at the worst moment: the provider has the message, nobody has noted it.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use chrono_tz::Tz;
use permanence_domain::{
    clock::{Clock, SimulatedClock, SystemClock},
    notifications::MessageStatus,
};
use permanence_embedded::{mail::MailFault, sms::SmsFault};
use permanence_workers::config::SmsConfig;

use crate::support::{REFRESH_KEY, World, by_email, soon};

/// Starts the pool's real binary.
fn start(world: &World) -> Child {
    let messaging = world.messaging();
    let SmsConfig::Ovh(ovh) = messaging.sms[0].provider.clone() else { panic!("the harness sends by OVH") };
    Command::new(env!("CARGO_BIN_EXE_reminders"))
        .env_clear()
        .envs(world.environment())
        .env("SMTP_URL", world.mail.url())
        .env("MAIL_FROM", "rappels@permanence.example")
        .env("PUBLIC_URL", "https://app.example.fr")
        .env("JWT_REFRESH_KEY", REFRESH_KEY)
        .env("SMS_PROVIDER", "ovh")
        .env("OVH_ENDPOINT", ovh.endpoint)
        .env("OVH_APPLICATION_KEY", ovh.application_key)
        .env("OVH_APPLICATION_SECRET", ovh.application_secret)
        .env("OVH_CONSUMER_KEY", ovh.consumer_key)
        .env("OVH_SMS_SERVICE", ovh.service)
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

async fn killed_between_intent_and_receipt(by_mail: bool) {
    let clock = Arc::new(SystemClock);
    let world = World::with_clock(Arc::new(SimulatedClock::at(clock.now())), clock.clone(), Tz::UTC).await;
    world.be_awake().await;
    if by_mail {
        world.reach(&by_email()).await;
        world.mail.faults().always(MailFault::HangAfterData);
    } else {
        world.sms.faults().always(SmsFault::HangAfterAccept);
    }
    let mut worker = start(&world);
    let soon_after = (clock.now() + chrono::Duration::hours(5)).format("%Y-%m-%dT%H:%M:00").to_string();
    let id = world.book(&soon_after).await;
    soon("the provider has it", world.outbox.wait_for(|_| world.reminded() == 1)).await;
    worker.kill().expect("killed");
    worker.wait().expect("gone");
    assert_eq!(
        world.log(id).await[0].message.status,
        MessageStatus::Sending,
        "the intent stands, no receipt"
    );

    // The provider is well again, and another process takes over what the dead one held.
    world.mail.faults().clear();
    world.sms.faults().clear();
    let mut rescuer = start(&world);
    // The provider of SMS is asked and knows; a mail server cannot be asked, so a person decides.
    let known = world.until(id, if by_mail { MessageStatus::Uncertain } else { MessageStatus::Sent }).await;
    let lost = known.events.iter().find(|event| event.event == "uncertain").expect("an event");
    assert_eq!(lost.code.as_deref(), Some("worker_lost"));
    rescuer.kill().expect("killed");
    rescuer.wait().expect("gone");
    assert_eq!(world.reminded(), 1, "no second message");
}

#[tokio::test]
async fn a_killed_worker_sends_no_second_sms() {
    killed_between_intent_and_receipt(false).await;
}

#[tokio::test]
async fn a_killed_worker_sends_no_second_mail() {
    killed_between_intent_and_receipt(true).await;
}

#[tokio::test]
async fn a_worker_told_to_end_ends_by_itself() {
    let clock = Arc::new(SystemClock);
    let world = World::with_clock(Arc::new(SimulatedClock::at(clock.now())), clock.clone(), Tz::UTC).await;
    world.be_awake().await;
    let mut worker = start(&world);
    let soon_after = (clock.now() + chrono::Duration::hours(5)).format("%Y-%m-%dT%H:%M:00").to_string();
    let id = world.book(&soon_after).await;
    world.until(id, MessageStatus::Sent).await;
    Command::new("kill").arg(worker.id().to_string()).status().expect("kill runs");
    let ended = async {
        loop {
            if let Some(status) = worker.try_wait().expect("a status") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(soon("it ends", ended).await.success());
}
