//! Mails what a look at the stock found, once: the intent is committed, then the mail is handed over. What may have left is
//! not sent again: the same is told within the application.

use permanence_domain::{
    error::Result,
    ids::DigestId,
    inventory::{begin_digest, end_digest, jobs::SendDigest},
};

use crate::{
    notifications::digest::mail_digest,
    perform::{MailEnd, Outcome, Perform, Run, insist},
    services::Services,
};

impl Perform for SendDigest {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        // Where no mail can be sent there is no intent either.
        services.messaging()?;
        let mut tx = run.begin(services).await?;
        let start = begin_digest(&mut tx, self.digest_id).await?;
        tx.commit().await?;
        let Some(ended) = mail_digest(self.digest_id, start, run, services).await? else {
            return Ok(Outcome::Done(None));
        };
        insist(|| end_once(self.digest_id, &ended, run, services)).await?;
        Ok(ended.outcome)
    }
}

async fn end_once(id: DigestId, ended: &MailEnd, run: Run, services: &Services) -> Result<()> {
    let mut tx = run.begin(services).await?;
    end_digest(&mut tx, id, ended.status, ended.code.as_deref()).await?;
    tx.commit().await
}
