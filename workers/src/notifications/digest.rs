//! Mails a digest, whatever it is about: the intent is committed before, and what may have left is not sent again, for the same is told
//! within the application.

use permanence_domain::{
    error::Result,
    ids::DigestId,
    notifications::{Digest, DigestDraft, DigestStart},
};

use crate::{
    clients::{Receipt, SendError, smtp::Email},
    perform::{MailEnd, Run},
    services::Services,
};

/// Sends it if there is something to send; how that ended is for the caller to note.
pub(crate) async fn mail_digest<D: Digest>(
    id: DigestId,
    start: DigestStart<D>,
    run: Run,
    services: &Services,
) -> Result<Option<MailEnd>> {
    let ended = match start {
        DigestStart::Settled => return Ok(None),
        DigestStart::Uncertain => MailEnd::in_doubt("an earlier attempt may have sent it"),
        DigestStart::Send(draft) => MailEnd::of(send(id, *draft, services).await?, run),
    };
    if let Some(code) = &ended.code {
        tracing::warn!(digest_id = %id, code, "the digest was not sent");
    }
    Ok(Some(ended))
}

async fn send<D: Digest>(
    id: DigestId,
    draft: DigestDraft<D>,
    services: &Services,
) -> Result<Result<Receipt, SendError>> {
    let messaging = services.messaging()?;
    let DigestDraft { email, settings, content: digest } = draft;
    let content = digest.write();
    let email = Email {
        to: email,
        to_name: Some(digest.full_name().to_owned()),
        from_name: None,
        subject: content.subject,
        text: content.text,
        html: Some(content.html),
        calendar: None,
        file: None,
        message_id: messaging.mail.message_id(id.0),
        date: services.db.clock().now(),
        headers: Vec::new(),
    };
    Ok(messaging.mail.send(&email.in_name_of(digest.practice_name(), &settings)).await)
}
