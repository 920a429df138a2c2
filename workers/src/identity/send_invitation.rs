//! Mails an invitation, once: the intent is committed with the token's hash, then the mail is handed over.

use permanence_domain::{
    config::under,
    error::Result,
    identity::{InvitationDraft, InvitationStart, begin_invitation, end_invitation, jobs::SendInvitation},
    ids::InvitationId,
    notifications::content::{InvitationContext, invitation_email},
};

use crate::{
    clients::{Receipt, SendError, smtp::Email},
    perform::{MailEnd, Outcome, Perform, Run, insist},
    services::{Messaging, Services},
};

impl Perform for SendInvitation {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let messaging = services.messaging()?;
        let mut tx = run.begin(services).await?;
        let start = begin_invitation(&mut tx, &messaging.hashes, self.invitation_id).await?;
        tx.commit().await?;
        let id = self.invitation_id;
        let ended = match start {
            InvitationStart::Settled => return Ok(Outcome::Done(None)),
            InvitationStart::Uncertain => {
                MailEnd::in_doubt("an earlier attempt may have sent it: invite again")
            }
            InvitationStart::Send(draft) => {
                MailEnd::of(send(id, &draft, messaging, services.db.clock().now()).await, run)
            }
        };
        if let Some(code) = &ended.code {
            tracing::warn!(invitation_id = %id, code, "the invitation was not sent");
        }
        insist(|| end_once(id, &ended, run, services)).await?;
        Ok(ended.outcome)
    }
}

async fn end_once(id: InvitationId, ended: &MailEnd, run: Run, services: &Services) -> Result<()> {
    let mut tx = run.begin(services).await?;
    end_invitation(&mut tx, id, ended.status, ended.code.as_deref()).await?;
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
        file: None,
        message_id: messaging.mail.message_id(id.0),
        date: now,
        headers: Vec::new(),
    };
    messaging.mail.send(&email).await
}
