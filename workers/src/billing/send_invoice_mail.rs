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

use crate::{
    clients::{
        Receipt, SendError,
        smtp::{AttachedFile, Email},
    },
    perform::{MailEnd, Outcome, Perform, Run, insist},
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
    let ended = match start {
        InvoiceMailStart::Settled => return Ok(Outcome::Done(None)),
        InvoiceMailStart::Wait(wait) => return Ok(Outcome::Snooze(wait.to_std().unwrap_or_default())),
        InvoiceMailStart::Uncertain => MailEnd::in_doubt("an earlier attempt may have sent it"),
        InvoiceMailStart::Send(mail) => MailEnd::of(send(&mail, messaging, services).await, run),
    };
    if let Some(code) = &ended.code {
        tracing::warn!(mail_id = %id, code, "a mail about an invoice was not sent");
    }
    // It is a fact, whoever holds the job by now.
    insist(|| end_once(id, &ended, run, services)).await?;
    Ok(ended.outcome)
}

async fn end_once(id: InvoiceMailId, ended: &MailEnd, run: Run, services: &Services) -> Result<()> {
    // A mail about an invoice that is to be tried again is planned, as messages to patients are.
    let status = if ended.status == "pending" { "planned" } else { ended.status };
    let receipt = ended.receipt.as_ref().map(|receipt| (receipt.provider, receipt.message_id.as_str()));
    let mut tx = run.begin(services).await?;
    end_invoice_mail(&mut tx, id, status, ended.code.as_deref(), receipt).await?;
    tx.commit().await
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
