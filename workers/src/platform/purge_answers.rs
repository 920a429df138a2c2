//! Forgets what has served its time: the stored answers of POSTs after a day, and what ended long ago.

use permanence_domain::{
    db::Actor,
    error::Result,
    platform::{Ended, PurgeAnswers},
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Rows forgotten in one transaction: short enough for any table.
const BATCH: i64 = 5_000;

impl Perform for PurgeAnswers {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut told = serde_json::Map::new();
        for ended in Ended::ALL {
            told.insert(ended.name().to_owned(), purge(ended, services).await?.into());
        }
        Ok(Outcome::Done(Some(serde_json::json!({ "purged": told }))))
    }
}

async fn purge(ended: Ended, services: &Services) -> Result<u64> {
    let mut purged = 0;
    loop {
        let mut tx = services.db.system(Actor::JOB).await?;
        let gone = ended.purge(&mut tx, BATCH).await?;
        tx.commit().await?;
        purged += gone;
        if i64::try_from(gone).is_ok_and(|gone| gone < BATCH) {
            return Ok(purged);
        }
    }
}
