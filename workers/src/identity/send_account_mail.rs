//! Mails a person about their own account, once: the intent is committed with the token's hash, then the mail is handed
//! over.

use chrono::{DateTime, Utc};
use permanence_domain::{
    config::under,
    db::Actor,
    error::Result,
    identity::{
        AccountMailDraft, AccountMailStart, begin_account_mail, end_account_mail, jobs::SendAccountMail,
    },
    ids::AccountMailId,
    notifications::content::{PasswordChanged, PasswordReset, password_changed_email, password_reset_email},
};

use crate::{
    clients::{Receipt, SendError, smtp::Email},
    perform::{MailEnd, Outcome, Perform, Run, insist},
    services::{Messaging, Services},
};

impl Perform for SendAccountMail {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let messaging = services.messaging()?;
        let mut tx = services.db.system(Actor::JOB).await?;
        let start = begin_account_mail(&mut tx, &messaging.hashes, self.mail_id).await?;
        tx.commit().await?;
        let ended = match start {
            AccountMailStart::Settled => return Ok(Outcome::Done(None)),
            AccountMailStart::Uncertain => MailEnd::in_doubt("an earlier attempt may have sent it"),
            AccountMailStart::Send(draft) => {
                let sent = send(self.mail_id, *draft, messaging, services.db.clock().now()).await;
                MailEnd::of(sent, run)
            }
        };
        if let Some(code) = &ended.code {
            tracing::warn!(mail_id = %self.mail_id, code, "the mail about an account was not sent");
        }
        insist(|| end_once(self.mail_id, &ended, services)).await?;
        Ok(ended.outcome)
    }
}

async fn end_once(id: AccountMailId, ended: &MailEnd, services: &Services) -> Result<()> {
    let mut tx = services.db.system(Actor::JOB).await?;
    end_account_mail(&mut tx, id, ended.status, ended.code.as_deref()).await?;
    tx.commit().await
}

async fn send(
    id: AccountMailId,
    draft: AccountMailDraft,
    messaging: &Messaging,
    now: DateTime<Utc>,
) -> Result<Receipt, SendError> {
    let AccountMailDraft { email, full_name, language, zone, at, token } = draft;
    let to_name = Some(full_name.clone());
    let content = if let Some(token) = token {
        let mut link = under(&messaging.public_url, "reset-password");
        // In the fragment: it reaches neither servers' logs nor the Referer header.
        link.set_fragment(Some(&token));
        password_reset_email(&PasswordReset { full_name, link: link.into(), language })
    } else {
        password_changed_email(&PasswordChanged { full_name, changed_at: at, zone, language })
    };
    let email = Email {
        to: email,
        to_name,
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
    messaging.mail.send(&email).await
}
