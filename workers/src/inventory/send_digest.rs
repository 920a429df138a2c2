//! Mails what a look at the stock found, once: the intent is committed, then the mail is handed over. What may have left is
//! not sent again: the same is told within the application.

use chrono::{DateTime, Utc};
use permanence_domain::{
    error::Result,
    ids::DigestId,
    inventory::{DigestDraft, DigestStart, begin_digest, end_digest, jobs::SendDigest},
    notifications::content::stock_digest_email,
};

use crate::{
    clients::{Receipt, SendError, smtp::Email},
    perform::{MailEnd, Outcome, Perform, Run, insist},
    services::{Messaging, Services},
};

impl Perform for SendDigest {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let messaging = services.messaging()?;
        let mut tx = run.begin(services).await?;
        let start = begin_digest(&mut tx, self.digest_id).await?;
        tx.commit().await?;
        let id = self.digest_id;
        let ended = match start {
            DigestStart::Settled => return Ok(Outcome::Done(None)),
            DigestStart::Uncertain => MailEnd::in_doubt("an earlier attempt may have sent it"),
            DigestStart::Send(draft) => {
                MailEnd::of(send(id, *draft, messaging, services.db.clock().now()).await, run)
            }
        };
        if let Some(code) = &ended.code {
            tracing::warn!(digest_id = %id, code, "the digest was not sent");
        }
        insist(|| end_once(id, &ended, run, services)).await?;
        Ok(ended.outcome)
    }
}

async fn end_once(id: DigestId, ended: &MailEnd, run: Run, services: &Services) -> Result<()> {
    let mut tx = run.begin(services).await?;
    end_digest(&mut tx, id, ended.status, ended.code.as_deref()).await?;
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
        file: None,
        message_id: messaging.mail.message_id(id.0),
        date: now,
        headers: Vec::new(),
    };
    messaging.mail.send(&email.in_name_of(&draft.content.practice_name, &draft.settings)).await
}
