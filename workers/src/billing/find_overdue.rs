//! Finds daily what is overdue, in every practice, and plans the reminders of it.

use permanence_domain::{
    billing::{jobs::FindOverdue, plan_reminders},
    db::Actor,
    error::Result,
    identity::practices,
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Reminders planned in one transaction: few enough that nobody waits for it.
const BATCH: usize = 200;

impl Perform for FindOverdue {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let tenants = practices(&mut tx).await?;
        tx.commit().await?;
        let mut planned = 0;
        for tenant in tenants {
            loop {
                let mut tx = services.db.tenant(tenant, Actor::JOB).await?;
                let found = plan_reminders(&mut tx, BATCH.try_into().unwrap_or(i64::MAX)).await?;
                tx.commit().await?;
                planned += found;
                if found < BATCH {
                    break;
                }
            }
        }
        Ok(Outcome::Done(Some(serde_json::json!({ "planned": planned }))))
    }
}
