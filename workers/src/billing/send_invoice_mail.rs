//! Mails an invoice with its PDF, or a reminder of what is overdue, once: the intent is committed, the mail handed over, the
//! receipt noted.

use permanence_domain::{
    billing::{
        InvoiceMailPurpose, InvoiceMailStart, OutgoingInvoiceMail, Paper, begin_invoice_mail,
        end_invoice_mail,
        jobs::{RemindDebtor, SendInvoice},
    },
    error::Result,
    ids::InvoiceMailId,
    notifications::content::{invoice_email, overdue_email},
};
use permanence_queue::Failure;

use crate::{
    clients::{
        Receipt, SendError,
        smtp::{AttachedFile, Email},
    },
    perform::{Outcome, Perform, Run, insist},
    services::{Messaging, Services},
};

impl Perform for RemindDebtor {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        send_once(self.mail_id, run, services).await
    }
}

impl Perform for SendInvoice {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        send_once(self.mail_id, run, services).await
    }
}

async fn send_once(id: InvoiceMailId, run: Run, services: &Services) -> Result<Outcome> {
    let messaging = services.messaging()?;
    let mut tx = run.begin(services).await?;
    let start = begin_invoice_mail(&mut tx, id).await?;
    // From here on the intent is known to whoever comes next, even if this process dies in the next line.
    tx.commit().await?;
    match start {
        InvoiceMailStart::Settled => Ok(Outcome::Done(None)),
        InvoiceMailStart::Wait(wait) => Ok(Outcome::Snooze(wait.to_std().unwrap_or_default())),
        InvoiceMailStart::Uncertain => {
            note(id, ("uncertain", Some("worker_lost")), None, run, services).await?;
            Ok(Outcome::Discard(Failure::new("uncertain", "an earlier attempt may have sent it")))
        }
        InvoiceMailStart::Send(mail) => {
            let sent = send(&mail, messaging, services).await;
            settle(id, sent, run, services).await
        }
    }
}

async fn send(
    outgoing: &OutgoingInvoiceMail,
    messaging: &Messaging,
    services: &Services,
) -> Result<Receipt, SendError> {
    let words = match outgoing.purpose {
        InvoiceMailPurpose::Paper => invoice_email(&outgoing.mail),
        InvoiceMailPurpose::Reminder => overdue_email(&outgoing.mail),
    };
    let file = match &outgoing.paper {
        Some(paper) => Some(fetch(paper, services).await?),
        None => None,
    };
    let email = Email {
        to: outgoing.to.clone(),
        to_name: Some(outgoing.mail.buyer_name.clone()),
        from_name: None,
        subject: words.subject,
        text: words.text,
        html: Some(words.html),
        calendar: None,
        file,
        message_id: messaging.mail.message_id(outgoing.id.0),
        date: services.db.clock().now(),
        headers: Vec::new(),
    };
    messaging.mail.send(&email.in_name_of(&outgoing.mail.practice_name, &outgoing.settings)).await
}

/// The PDF to attach. While it cannot be had, the mail has certainly not left.
async fn fetch(paper: &Paper, services: &Services) -> Result<AttachedFile, SendError> {
    let got = match services.storage() {
        Ok(storage) => storage.get(&paper.key).await,
        Err(error) => Err(error),
    };
    let away = |error| {
        tracing::warn!(%error, "an invoice could not be fetched for its mail");
        SendError::Temporary { code: "paper_unavailable".to_owned(), retry_after: None }
    };
    let bytes = got.map_err(away)?;
    Ok(AttachedFile { name: paper.file_name.clone(), content_type: "application/pdf", bytes })
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
        tracing::warn!(mail_id = %id, code = error.code(), "a mail about an invoice was not sent");
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
