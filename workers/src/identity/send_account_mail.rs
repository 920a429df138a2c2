//! Mails a person about their own account, once: the intent is committed with the token's hash, then the mail is handed
//! over.

use chrono::{DateTime, Utc};
use permanence_domain::{
    config::under,
    db::Actor,
    error::Result,
    identity::{
        AccountMailAbout, AccountMailDraft, AccountMailStart, begin_account_mail, end_account_mail,
        jobs::SendAccountMail,
    },
    ids::AccountMailId,
    notifications::content::{
        AccountErasureMail, AccountErasureNews, EmailContent, PasswordChanged, PasswordReset,
        account_erasure_email, password_changed_email, password_reset_email,
    },
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

/// The words of a mail.
fn content(draft: AccountMailDraft, messaging: &Messaging) -> EmailContent {
    let AccountMailDraft { full_name, language, zone, about, .. } = draft;
    let leading = |place: &str| String::from(under(&messaging.public_url, place));
    let news = match about {
        AccountMailAbout::PasswordReset { token } => {
            let mut link = under(&messaging.public_url, "reset-password");
            // In the fragment: it reaches neither servers' logs nor the Referer header.
            link.set_fragment(Some(&token));
            return password_reset_email(&PasswordReset { full_name, link: link.into(), language });
        }
        AccountMailAbout::PasswordChanged { at } => {
            return password_changed_email(&PasswordChanged { full_name, changed_at: at, zone, language });
        }
        AccountMailAbout::DeletionRequested { due_at } => {
            AccountErasureNews::Requested { due_at, link: leading("cancel-deletion") }
        }
        AccountMailAbout::DeletionCancelled => AccountErasureNews::Cancelled,
        AccountMailAbout::DeletionHeld => AccountErasureNews::Held { link: leading("cancel-deletion") },
        AccountMailAbout::AccountErased { token } => {
            AccountErasureNews::Erased { link: leading(&format!("e/{token}")) }
        }
    };
    account_erasure_email(&AccountErasureMail { full_name, news, zone, language })
}

async fn send(
    id: AccountMailId,
    draft: AccountMailDraft,
    messaging: &Messaging,
    now: DateTime<Utc>,
) -> Result<Receipt, SendError> {
    let (to, to_name) = (draft.email.clone(), Some(draft.full_name.clone()));
    let content = content(draft, messaging);
    let email = Email {
        to,
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
