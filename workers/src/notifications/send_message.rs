//! Tells a patient something about an appointment, once: the intent is committed, the message handed over, the receipt
//! noted. Where a receipt is missing the provider is asked, and then a person.

use std::time::Duration;

use chrono::{DateTime, Utc};
use permanence_domain::{
    error::Result,
    notifications::{
        MessageEnd, MessageStart, OutgoingMessage, Purpose, begin_message,
        content::{
            Content,
            calendar::{Calendar, CalendarFacts, Method, calendar},
            render,
        },
        end_message,
        jobs::SendMessage,
    },
    tenants::SmsSender,
};
use permanence_queue::Failure;

use crate::{
    clients::{Lookup, Receipt, SendError, Sought, sms::TextMessage, smtp::Email},
    perform::{Outcome, Perform, Run, insist},
    services::{Messaging, Services},
};

/// A provider that asks to be left alone is, within reason: neither at once nor beyond the message's use.
const SHORTEST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_mins(20);

/// How soon a provider that gave no answer is asked what it knows of the message.
const ASK_AFTER: Duration = Duration::from_mins(1);

impl Perform for SendMessage {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let messaging = services.messaging()?;
        let mut tx = run.begin(services).await?;
        let sms = messaging.sms.is_some();
        let start = begin_message(&mut tx, self.message_id, sms, &messaging.links).await?;
        // From here on the intent is known to whoever comes next, even if this process dies in the next line.
        tx.commit().await?;
        match start {
            MessageStart::Settled => Ok(Outcome::Done(None)),
            MessageStart::Quiet(wait) => Ok(Outcome::Snooze(wait.to_std().unwrap_or_default())),
            MessageStart::Doubtful { message, since } => ask(&message, since, messaging, run, services).await,
            MessageStart::Send(message) => {
                let now = services.db.clock().now();
                let sent = send(&message, messaging, now).await;
                if sent.is_ok() {
                    told(&message, now);
                }
                note(&message, sent, run, services).await
            }
        }
    }
}

/// Counts a message that left, and how late it was.
fn told(message: &OutgoingMessage, now: DateTime<Utc>) {
    let labels = [("purpose", message.purpose.name()), ("channel", message.channel.name())];
    metrics::counter!("permanence_messages_sent_total", &labels).increment(1);
    let late = (now - message.due_at).to_std().unwrap_or_default();
    metrics::histogram!("permanence_message_lateness_seconds", "purpose" => message.purpose.name())
        .record(late);
}

/// Asks the provider for a message that it may have taken. That it does not know the message sends it no second time.
async fn ask(
    message: &OutgoingMessage,
    since: DateTime<Utc>,
    messaging: &Messaging,
    run: Run,
    services: &Services,
) -> Result<Outcome> {
    let words = words(message);
    let known = match (&words, &messaging.sms) {
        (Content::Email(_), _) => messaging.mail.lookup(&sought(message, "", since)).await,
        (Content::Sms { text, .. }, Some(sms)) => sms.lookup(&sought(message, text, since)).await,
        (Content::Sms { .. }, None) => Lookup::NotFound,
    };
    match known {
        Lookup::Found { receipt, .. } => note(message, Ok(receipt), run, services).await,
        Lookup::Unknown { ask_again: Some(wait) } => Ok(Outcome::Snooze(wait)),
        Lookup::NotFound => Ok(parked("the provider does not know it")),
        Lookup::Unknown { ask_again: None } => Ok(parked("nobody can tell whether it left")),
    }
}

fn sought<'a>(message: &'a OutgoingMessage, body: &'a str, since: DateTime<Utc>) -> Sought<'a> {
    Sought { key: message.id.0, to: &message.to, body, since }
}

fn parked(why: &str) -> Outcome {
    Outcome::Discard(Failure::new("uncertain", format!("{why}: a person decides")))
}

/// Notes what became of the message, whoever holds the job by now: it is a fact.
async fn note(
    message: &OutgoingMessage,
    sent: Result<Receipt, SendError>,
    run: Run,
    services: &Services,
) -> Result<Outcome> {
    let (end, outcome) = match &sent {
        Ok(receipt) => {
            let end = MessageEnd::Sent { provider: receipt.provider, message_id: &receipt.message_id };
            (end, Outcome::Done(None))
        }
        Err(SendError::Temporary { code, .. }) if run.last_attempt => {
            (MessageEnd::Failed { code, address: false }, Outcome::Discard(refused(code)))
        }
        Err(SendError::Temporary { code, retry_after }) => {
            let wait = retry_after.map(|wait| Outcome::Snooze(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)));
            (MessageEnd::Retry { code }, wait.unwrap_or_else(|| Outcome::Retry(refused(code))))
        }
        Err(SendError::Permanent { code }) => {
            let end = MessageEnd::Failed { code, address: refuses_address(code) };
            (end, Outcome::Discard(refused(code)))
        }
        Err(SendError::Uncertain { code }) => (MessageEnd::Uncertain { code }, Outcome::Snooze(ASK_AFTER)),
    };
    if let Err(error) = &sent {
        tracing::warn!(message_id = %message.id, code = error.code(), "the message was not sent");
        let labels = [("purpose", message.purpose.name()), ("channel", message.channel.name())];
        let failed = matches!(error, SendError::Permanent { .. });
        metrics::counter!("permanence_messages_failed_total", &labels).increment(u64::from(failed));
    }
    insist(|| end_once(message, end, run, services)).await?;
    Ok(outcome)
}

/// Whether a refusal for good says that the address leads nowhere, rather than that this message is not wanted.
fn refuses_address(code: &str) -> bool {
    matches!(
        code,
        "invalid_number"
            | "invalid_address"
            | "ovh_invalid_receiver"
            | "twilio_21211"
            | "twilio_21614"
            | "smtp_550"
    )
}

async fn end_once(
    message: &OutgoingMessage,
    end: MessageEnd<'_>,
    run: Run,
    services: &Services,
) -> Result<()> {
    let mut tx = run.begin(services).await?;
    end_message(&mut tx, message, end).await?;
    tx.commit().await
}

fn refused(code: &str) -> Failure {
    Failure::new(code.to_owned(), "the provider did not take the message")
}

fn words(message: &OutgoingMessage) -> Content {
    let OutgoingMessage { purpose, channel, language, facts, template, .. } = message;
    render(template.as_ref(), *purpose, *channel, *language, facts)
}

/// The entry for the patient's calendar: with the booking it is made or moved, with the cancellation it goes.
fn entry(message: &OutgoingMessage, organizer: &str, now: DateTime<Utc>) -> Option<Calendar> {
    let method = match message.purpose {
        Purpose::Reminder => return None,
        Purpose::Confirmation => Method::Request,
        Purpose::Cancellation => Method::Cancel,
    };
    let facts = CalendarFacts {
        appointment: message.appointment,
        sequence: message.sequence,
        written_at: now,
        starts_at: message.facts.starts_at,
        ends_at: message.ends_at,
        practice_name: message.facts.practice_name.clone(),
        practice_address: message.facts.practice_address.clone(),
        organizer: organizer.to_owned(),
        attendee: message.to.clone(),
        language: message.language,
    };
    Some(calendar(method, &facts))
}

async fn send(
    message: &OutgoingMessage,
    messaging: &Messaging,
    now: DateTime<Utc>,
) -> Result<Receipt, SendError> {
    match words(message) {
        Content::Email(words) => {
            let email = Email {
                to: message.to.clone(),
                to_name: None,
                from_name: None,
                subject: words.subject,
                text: words.text,
                html: Some(words.html),
                message_id: messaging.mail.message_id(message.id.0),
                date: now,
                headers: Vec::new(),
                calendar: entry(message, messaging.mail.sender_address(), now),
                file: None,
            };
            let email = email.in_name_of(&message.facts.practice_name, &message.settings);
            let email = match &message.facts.unsubscribe_url {
                Some(url) => email.with_unsubscribe(url),
                None => email,
            };
            messaging.mail.send(&email).await
        }
        Content::Sms { text, .. } => {
            let unconfigured = || SendError::Permanent { code: "no_sms_provider".to_owned() };
            let route = messaging.sms.as_ref().ok_or_else(unconfigured)?;
            // A phone that is off gets it late or not at all, never after the appointment began.
            let valid_for = (message.facts.starts_at - now).to_std().unwrap_or_default();
            let sender = message.settings.sms_sender.as_ref().map(SmsSender::as_str);
            route
                .send(&TextMessage { to: &message.to, sender, body: &text, key: message.id.0, valid_for })
                .await
        }
    }
}
