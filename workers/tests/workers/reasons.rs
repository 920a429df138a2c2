//! Why a patient comes is told where the practice discloses it, and nowhere else.

use chrono_tz::Tz;
use mail_parser::MessageParser;
use permanence_domain::{
    field::{Language, Reason},
    identity::Role,
    notifications::{
        Channel, Purpose,
        templates::{self, NewTemplate, TemplateKey},
    },
    scheduling,
};
use permanence_embedded::outbox::Mail;

use crate::support::{World, by_both};

const REASON: &str = "Angoisses";

async fn disclose(world: &World, disclosed: bool) {
    world.decide(|settings, _| settings["disclose_reason"] = disclosed.into()).await;
}

/// The practice's own words for the reminder by SMS name the reason.
async fn name_it_by_sms(world: &World) {
    let mut tx = world.begin().await;
    let key = TemplateKey { purpose: Purpose::Reminder, channel: Channel::Sms, language: Language::Fr };
    let body = "RDV {{ date }}{% if reason %} ({{ reason }}){% endif %}".to_owned();
    templates::put(&mut tx, key, 0, &NewTemplate { subject: None, body, transliterate: false })
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// The entry for the calendar, decoded.
fn entry(mail: &Mail) -> String {
    let read = MessageParser::new().parse(&mail.raw).unwrap();
    let entries = read.parts.iter().map(|part| String::from_utf8_lossy(part.contents()).into_owned());
    entries.filter(|part| part.starts_with("BEGIN:VCALENDAR")).collect()
}

/// Books for a reason, lets the confirmation, the reminder and the cancellation leave, and gives what left.
async fn told(world: &World, civil: &str) -> (Vec<String>, Vec<[String; 4]>) {
    let (texts, mails) = (world.outbox.texts().len(), world.outbox.mails().len());
    let pool = world.work();
    let mut tx = world.begin().await;
    let mut new = world.appointment(civil);
    new.reason = Some(Reason::parse(REASON).unwrap());
    let id = scheduling::book(&mut tx, Role::Assistant, &new).await.unwrap().id;
    tx.commit().await.unwrap();
    world.until_idle().await;
    let mut tx = world.begin().await;
    scheduling::cancel(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    world.until_idle().await;
    pool.drain().await;
    let texts = world.outbox.texts().split_off(texts).into_iter().map(|text| text.body).collect();
    let mails = world.outbox.mails().split_off(mails);
    let parts = mails.iter().map(|mail| {
        [mail.subject().unwrap_or_default(), mail.text().unwrap(), mail.html().unwrap(), entry(mail)]
    });
    (texts, parts.collect())
}

#[tokio::test]
async fn a_reason_is_told_where_the_practice_discloses_it_and_nowhere_else() {
    // Inside the lead time: the reminder leaves with the confirmation.
    let world = World::at("2027-01-15T08:00:00Z", Tz::Europe__Paris).await;
    world.reach(&by_both()).await;
    disclose(&world, true).await;
    let (texts, mails) = told(&world, "2027-01-15T16:00:00").await;
    assert_eq!(
        (texts.len(), mails.len()),
        (2, 1),
        "a reminder and a cancellation by SMS, a confirmation by mail"
    );
    assert!(texts.iter().all(|text| !text.contains(REASON)), "the standard SMS never says why: {texts:?}");
    let [subject, text, html, entry] = &mails[0];
    assert!(text.contains("Motif : Angoisses") && html.contains(REASON), "{text}");
    assert!(!subject.contains(REASON));
    assert!(entry.contains("SUMMARY:Rendez-vous") && !entry.contains(REASON), "{entry}");

    name_it_by_sms(&world).await;
    let (texts, _) = told(&world, "2027-01-15T17:00:00").await;
    assert_eq!(texts[0], "RDV 15 janvier (Angoisses)");

    disclose(&world, false).await;
    let (texts, mails) = told(&world, "2027-01-15T18:00:00").await;
    assert_eq!((texts.len(), mails.len()), (2, 1));
    assert_eq!(texts[0], "RDV 15 janvier");
    for words in texts.iter().chain(mails.iter().flatten()) {
        assert!(!words.contains(REASON) && !words.contains("Motif"), "{words}");
    }
}
