//! Wraps the tenants' keys under the current master key, where another wraps them: the second half of a rotation.

use permanence_domain::{
    db::Actor,
    error::Result,
    vault::{Rewrap, rewrap},
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Keys of one transaction: a key management service takes its time for each.
const BATCH: i64 = 200;

impl Perform for Rewrap {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut total = 0;
        loop {
            let mut tx = services.db.system(Actor::JOB).await?;
            let done = rewrap(&mut tx, services.vault()?, BATCH).await?;
            tx.commit().await?;
            total += done;
            if done == 0 {
                return Ok(Outcome::Done(Some(serde_json::json!({ "rewrapped": total }))));
            }
        }
    }
}
