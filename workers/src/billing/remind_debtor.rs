//! Mails a reminder of what is overdue, once: the intent is committed, the mail handed over, the receipt noted.

use permanence_domain::{
    billing::{
        InvoiceMailStart, OutgoingInvoiceMail, begin_invoice_mail, end_invoice_mail, jobs::RemindDebtor,
    },
    error::Result,
    ids::InvoiceMailId,
    notifications::content::overdue_email,
};
use permanence_queue::Failure;

use crate::{
    clients::{Receipt, SendError, smtp::Email},
    perform::{Outcome, Perform, Run, insist},
    services::{Messaging, Services},
};

impl Perform for RemindDebtor {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let messaging = services.messaging()?;
        let mut tx = run.begin(services).await?;
        let start = begin_invoice_mail(&mut tx, self.mail_id).await?;
        // From here on the intent is known to whoever comes next, even if this process dies in the next line.
        tx.commit().await?;
        match start {
            InvoiceMailStart::Settled => Ok(Outcome::Done(None)),
            InvoiceMailStart::Wait(wait) => Ok(Outcome::Snooze(wait.to_std().unwrap_or_default())),
            InvoiceMailStart::Uncertain => {
                note(self.mail_id, ("uncertain", Some("worker_lost")), None, run, services).await?;
                Ok(Outcome::Discard(Failure::new("uncertain", "an earlier attempt may have sent it")))
            }
            InvoiceMailStart::Send(mail) => {
                let sent = send(&mail, messaging, services).await;
                settle(self.mail_id, sent, run, services).await
            }
        }
    }
}

async fn send(
    outgoing: &OutgoingInvoiceMail,
    messaging: &Messaging,
    services: &Services,
) -> Result<Receipt, SendError> {
    let words = overdue_email(&outgoing.mail);
    let email = Email {
        to: outgoing.to.clone(),
        to_name: Some(outgoing.mail.buyer_name.clone()),
        from_name: None,
        subject: words.subject,
        text: words.text,
        html: Some(words.html),
        calendar: None,
        message_id: messaging.mail.message_id(outgoing.id.0),
        date: services.db.clock().now(),
        headers: Vec::new(),
    };
    messaging.mail.send(&email.in_name_of(&outgoing.mail.practice_name, &outgoing.settings)).await
}

/// Notes what became of the mail, whoever holds the job by now: it is a fact.
async fn settle(
    id: InvoiceMailId,
    sent: Result<Receipt, SendError>,
    run: Run,
    services: &Services,
) -> Result<Outcome> {
    let refused = |code: &str| Failure::new(code.to_owned(), "the provider did not take the mail");
    let (status, outcome) = match &sent {
        Ok(_) => ("sent", Outcome::Done(None)),
        Err(SendError::Temporary { code, .. }) if !run.last_attempt => {
            ("planned", Outcome::Retry(refused(code)))
        }
        Err(SendError::Temporary { code, .. } | SendError::Permanent { code }) => {
            ("failed", Outcome::Discard(refused(code)))
        }
        Err(SendError::Uncertain { code }) => ("uncertain", Outcome::Discard(refused(code))),
    };
    if let Err(error) = &sent {
        tracing::warn!(mail_id = %id, code = error.code(), "the reminder of an invoice was not sent");
    }
    let code = sent.as_ref().err().map(SendError::code);
    let receipt = sent.as_ref().ok().map(|receipt| (receipt.provider, receipt.message_id.as_str()));
    note(id, (status, code), receipt, run, services).await?;
    Ok(outcome)
}

async fn note(
    id: InvoiceMailId,
    (status, code): (&str, Option<&str>),
    receipt: Option<(&str, &str)>,
    run: Run,
    services: &Services,
) -> Result<()> {
    insist(|| async move {
        let mut tx = run.begin(services).await?;
        end_invoice_mail(&mut tx, id, status, code, receipt).await?;
        tx.commit().await
    })
    .await
}
