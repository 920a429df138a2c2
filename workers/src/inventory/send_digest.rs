//! Mails what a look at the stock found, once: the intent is committed, then the mail is handed over. What may have left is
//! not sent again: the same is told within the application.

use chrono::{DateTime, Utc};
use permanence_domain::{
    error::Result,
    ids::DigestId,
    inventory::{DigestDraft, DigestStart, begin_digest, end_digest, jobs::SendDigest},
    notifications::content::stock_digest_email,
};
use permanence_queue::Failure;

use crate::{
    clients::{Receipt, SendError, smtp::Email},
    perform::{Outcome, Perform, Run, fate_of_mail, insist},
    services::{Messaging, Services},
};

impl Perform for SendDigest {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let messaging = services.messaging()?;
        let mut tx = run.begin(services).await?;
        let start = begin_digest(&mut tx, self.digest_id).await?;
        tx.commit().await?;
        match start {
            DigestStart::Settled => Ok(Outcome::Done(None)),
            DigestStart::Uncertain => {
                end(self.digest_id, "uncertain", Some("worker_lost"), run, services).await?;
                Ok(Outcome::Discard(Failure::new("uncertain", "an earlier attempt may have sent it")))
            }
            DigestStart::Send(draft) => {
                let sent = send(self.digest_id, *draft, messaging, services.db.clock().now()).await;
                note(self.digest_id, sent, run, services).await
            }
        }
    }
}

async fn note(
    id: DigestId,
    sent: Result<Receipt, SendError>,
    run: Run,
    services: &Services,
) -> Result<Outcome> {
    let (status, outcome) = fate_of_mail(&sent, run, "the mail server did not take the digest");
    if let Err(error) = &sent {
        tracing::warn!(digest_id = %id, code = error.code(), "the digest was not sent");
    }
    end(id, status, sent.as_ref().err().map(SendError::code), run, services).await?;
    Ok(outcome)
}

async fn end(id: DigestId, status: &str, code: Option<&str>, run: Run, services: &Services) -> Result<()> {
    insist(|| end_once(id, status, code, run, services)).await
}

async fn end_once(
    id: DigestId,
    status: &str,
    code: Option<&str>,
    run: Run,
    services: &Services,
) -> Result<()> {
    let mut tx = run.begin(services).await?;
    end_digest(&mut tx, id, status, code).await?;
    tx.commit().await
}

async fn send(
    id: DigestId,
    draft: DigestDraft,
    messaging: &Messaging,
    now: DateTime<Utc>,
) -> Result<Receipt, SendError> {
    let content = stock_digest_email(&draft.content);
    let email = Email {
        to: draft.email,
        to_name: Some(draft.content.full_name),
        from_name: None,
        subject: content.subject,
        text: content.text,
        html: Some(content.html),
        calendar: None,
        message_id: messaging.mail.message_id(id.0),
        date: now,
        headers: Vec::new(),
    };
    messaging.mail.send(&email.in_name_of(&draft.content.practice_name, &draft.settings)).await
}
