//! Mails an invitation, once: the intent is committed with the token's hash, then the mail is handed over.

use permanence_domain::{
    config::under,
    error::Result,
    identity::{InvitationDraft, InvitationStart, begin_invitation, end_invitation, jobs::SendInvitation},
    ids::InvitationId,
    notifications::content::{InvitationContext, invitation_email},
};
use permanence_queue::Failure;

use crate::{
    clients::{Receipt, SendError, smtp::Email},
    perform::{Outcome, Perform, Run, insist},
    services::{Messaging, Services},
};

impl Perform for SendInvitation {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let messaging = services.messaging()?;
        let mut tx = run.begin(services).await?;
        let start = begin_invitation(&mut tx, &messaging.hashes, self.invitation_id).await?;
        tx.commit().await?;
        match start {
            InvitationStart::Settled => Ok(Outcome::Done(None)),
            InvitationStart::Uncertain => {
                end(self.invitation_id, "uncertain", Some("worker_lost"), run, services).await?;
                Ok(Outcome::Discard(Failure::new(
                    "uncertain",
                    "an earlier attempt may have sent it: invite again",
                )))
            }
            InvitationStart::Send(draft) => {
                let sent = send(self.invitation_id, &draft, messaging, services.db.clock().now()).await;
                note(self.invitation_id, sent, run, services).await
            }
        }
    }
}

async fn note(
    id: InvitationId,
    sent: Result<Receipt, SendError>,
    run: Run,
    services: &Services,
) -> Result<Outcome> {
    let refused = |code: &str| Failure::new(code.to_owned(), "the mail server did not take the invitation");
    let (status, outcome) = match &sent {
        Ok(_) => ("sent", Outcome::Done(None)),
        Err(SendError::Temporary { code, .. }) if !run.last_attempt => {
            ("pending", Outcome::Retry(refused(code)))
        }
        Err(SendError::Temporary { code, .. } | SendError::Permanent { code }) => {
            ("failed", Outcome::Discard(refused(code)))
        }
        Err(SendError::Uncertain { code }) => ("uncertain", Outcome::Discard(refused(code))),
    };
    if let Err(error) = &sent {
        tracing::warn!(invitation_id = %id, code = error.code(), "the invitation was not sent");
    }
    end(id, status, sent.as_ref().err().map(SendError::code), run, services).await?;
    Ok(outcome)
}

async fn end(
    id: InvitationId,
    status: &str,
    code: Option<&str>,
    run: Run,
    services: &Services,
) -> Result<()> {
    insist(|| end_once(id, status, code, run, services)).await
}

async fn end_once(
    id: InvitationId,
    status: &str,
    code: Option<&str>,
    run: Run,
    services: &Services,
) -> Result<()> {
    let mut tx = run.begin(services).await?;
    end_invitation(&mut tx, id, status, code).await?;
    tx.commit().await
}

async fn send(
    id: InvitationId,
    draft: &InvitationDraft,
    messaging: &Messaging,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Receipt, SendError> {
    let mut link = under(&messaging.public_url, "invitation");
    // In the fragment: it reaches neither servers' logs nor the Referer header.
    link.set_fragment(Some(&draft.token));
    let content = invitation_email(&InvitationContext {
        practice_name: draft.tenant_name.clone(),
        full_name: draft.full_name.clone(),
        link: link.into(),
        expires_at: draft.expires_at,
        zone: draft.zone,
        language: draft.language,
    });
    let email = Email {
        to: draft.email.clone(),
        to_name: Some(draft.full_name.clone()),
        from_name: Some(draft.tenant_name.clone()),
        subject: content.subject,
        text: content.text,
        html: Some(content.html),
        calendar: None,
        message_id: messaging.mail.message_id(id.0),
        date: now,
        headers: Vec::new(),
    };
    messaging.mail.send(&email).await
}
