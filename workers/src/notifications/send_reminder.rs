//! Reminds a patient of an appointment, once: the intent is committed, the message handed over, the receipt noted.

use std::time::Duration;

use permanence_domain::{
    error::Result,
    ids::ReminderId,
    notifications::{
        Channel, ReminderEnd, ReminderMessage, ReminderStart, begin_reminder,
        content::{ReminderContext, reminder_email, reminder_text},
        end_reminder,
        jobs::SendReminder,
    },
};
use permanence_queue::Failure;

use crate::{
    clients::{Receipt, SendError, sms::TextMessage, smtp::Email},
    perform::{Outcome, Perform, Run, insist},
    services::{Messaging, Services},
};

/// A provider that asks to be left alone is, within reason: neither at once nor beyond the reminder's use.
const SHORTEST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_mins(20);

impl Perform for SendReminder {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let messaging = services.messaging()?;
        let mut tx = run.begin(services).await?;
        let start = begin_reminder(&mut tx, self.reminder_id, messaging.sms.is_some()).await?;
        // From here on the intent is known to whoever comes next, even if this process dies in the next line.
        tx.commit().await?;
        match start {
            ReminderStart::Settled => Ok(Outcome::Done(None)),
            ReminderStart::Parked => Ok(parked("an earlier attempt may have sent it")),
            ReminderStart::Send(message) => {
                let sent = send(&message, messaging, services.db.clock().now()).await;
                note(self.reminder_id, sent, run, services).await
            }
        }
    }
}

fn parked(why: &str) -> Outcome {
    Outcome::Discard(Failure::new("uncertain", format!("{why}: a person decides")))
}

/// Notes what became of the message, whoever holds the job by now: it is a fact.
async fn note(
    id: ReminderId,
    sent: Result<Receipt, SendError>,
    run: Run,
    services: &Services,
) -> Result<Outcome> {
    let (end, outcome) = match &sent {
        Ok(receipt) => {
            let end = ReminderEnd::Sent { provider: receipt.provider, message_id: &receipt.message_id };
            (end, Outcome::Done(None))
        }
        Err(SendError::Temporary { code, .. }) if run.last_attempt => {
            (ReminderEnd::Failed { code }, Outcome::Discard(refused(code)))
        }
        Err(SendError::Temporary { code, retry_after }) => {
            let wait = retry_after.map(|wait| Outcome::Snooze(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)));
            (ReminderEnd::Retry { code }, wait.unwrap_or_else(|| Outcome::Retry(refused(code))))
        }
        Err(SendError::Permanent { code }) => (ReminderEnd::Failed { code }, Outcome::Discard(refused(code))),
        Err(SendError::Uncertain { code }) => {
            (ReminderEnd::Uncertain { code }, parked("the provider gave no answer"))
        }
    };
    if let Err(error) = &sent {
        tracing::warn!(reminder_id = %id, code = error.code(), "the reminder was not sent");
    }
    insist(|| end_once(id, end, run, services)).await?;
    Ok(outcome)
}

async fn end_once(id: ReminderId, end: ReminderEnd<'_>, run: Run, services: &Services) -> Result<()> {
    let mut tx = run.begin(services).await?;
    end_reminder(&mut tx, id, end).await?;
    tx.commit().await
}

fn refused(code: &str) -> Failure {
    Failure::new(code.to_owned(), "the provider did not take the message")
}

async fn send(
    message: &ReminderMessage,
    messaging: &Messaging,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Receipt, SendError> {
    let context = ReminderContext {
        practice_name: message.practice_name.clone(),
        practice_phone: message.practice_phone.clone(),
        starts_at: message.starts_at,
        zone: message.zone,
        place: message.practice_address.clone(),
        patient_first_name: message.first_name.clone(),
        language: message.language,
    };
    match message.channel {
        Channel::Email => {
            let mail = reminder_email(&context);
            let email = Email {
                to: message.to.clone(),
                to_name: None,
                from_name: Some(message.practice_name.clone()),
                subject: mail.subject,
                text: mail.text,
                html: Some(mail.html),
                calendar: None,
                message_id: messaging.mail.message_id(message.id.0),
                date: now,
                headers: Vec::new(),
            };
            messaging.mail.send(&email).await
        }
        Channel::Sms => {
            let unconfigured = || SendError::Permanent { code: "no_sms_provider".to_owned() };
            let provider = messaging.sms.as_ref().ok_or_else(unconfigured)?;
            let body = reminder_text(&context);
            // A phone that is off gets it late or not at all, never after the appointment began.
            let valid_for = (message.starts_at - now).to_std().unwrap_or_default();
            provider.send(&TextMessage { to: &message.to, body: &body, key: message.id.0, valid_for }).await
        }
    }
}
