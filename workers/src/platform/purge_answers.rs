//! Forgets the stored answers of POSTs after a day.

use permanence_domain::{db::Actor, error::Result, idempotency, platform::PurgeAnswers};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Rows forgotten in one transaction: short enough for any table.
const BATCH: i64 = 5_000;

impl Perform for PurgeAnswers {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut purged = 0;
        loop {
            let mut tx = services.db.system(Actor::JOB).await?;
            let gone = idempotency::purge(&mut tx, BATCH).await?;
            tx.commit().await?;
            purged += gone;
            if i64::try_from(gone).is_ok_and(|gone| gone < BATCH) {
                break;
            }
        }
        Ok(Outcome::Done(Some(serde_json::json!({ "purged": purged }))))
    }
}
