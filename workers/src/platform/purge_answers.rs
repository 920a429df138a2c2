//! Forgets the stored answers of POSTs after a day.

use permanence_domain::{db::Actor, error::Result, idempotency, platform::PurgeAnswers};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for PurgeAnswers {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let purged = idempotency::purge(&mut tx).await?;
        tx.commit().await?;
        Ok(Outcome::Done(Some(serde_json::json!({ "purged": purged }))))
    }
}
