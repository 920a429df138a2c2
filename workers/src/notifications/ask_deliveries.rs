//! Asks OVHcloud what became of the messages that it took: it reports nothing by itself.

use permanence_domain::{
    db::Actor,
    error::Result,
    notifications::receipts::{self, Provider, Recorded, jobs::AskDeliveries},
};

use crate::{
    clients::sms::SmsRoute,
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Messages asked for in one run; each is one request.
const MOST: i64 = 1_000;

impl Perform for AskDeliveries {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let noted = match &services.messaging()?.sms {
            Some(sms) => ask(sms, services).await?,
            None => 0,
        };
        Ok(Outcome::Done(Some(serde_json::json!({ "noted": noted }))))
    }
}

async fn ask(sms: &SmsRoute, services: &Services) -> Result<u64> {
    let mut tx = services.db.system(Actor::JOB).await?;
    let messages = receipts::awaiting(&mut tx, Provider::Ovh, MOST).await?;
    tx.commit().await?;
    let mut noted = 0;
    for message in messages {
        let report = match sms.delivery(Provider::Ovh.name(), &message).await {
            Ok(Some(report)) => report,
            // It carries nothing any more.
            Ok(None) => break,
            Err(error) => {
                // One that does not answer for this message will not for the next: the next run asks again.
                tracing::warn!(code = error.code(), "deliveries cannot be asked for");
                break;
            }
        };
        let tx = services.db.system(Actor::JOB).await?;
        noted += u64::from(receipts::record(tx, &report).await? == Recorded::Noted);
    }
    Ok(noted)
}
