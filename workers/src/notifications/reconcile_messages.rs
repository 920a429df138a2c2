//! Proves daily that each coming appointment has exactly its reminders, mends and counts what differs.

use permanence_domain::{
    db::Actor,
    error::Result,
    identity::practices,
    notifications::{self, Reconciled, jobs::ReconcileMessages},
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// Appointments in one transaction: few enough that nobody waits for it.
const BATCH: i64 = 200;

impl Perform for ReconcileMessages {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let tenants = practices(&mut tx).await?;
        tx.commit().await?;
        let mut found = Reconciled::default();
        for tenant in tenants {
            let mut place = None;
            loop {
                let mut tx = services.db.tenant(tenant, Actor::JOB).await?;
                place = notifications::reconcile(&mut tx, place, BATCH, &mut found).await?;
                tx.commit().await?;
                if place.is_none() {
                    break;
                }
            }
        }
        let mut told = serde_json::json!({ "checked": found.checked });
        for (what, count) in found.differences() {
            metrics::counter!("permanence_messages_reconciled_total", "what" => what).increment(count);
            told[what] = count.into();
        }
        if found.differences().iter().any(|(_, count)| *count > 0) {
            tracing::warn!(?found, "messages differed from what the appointments call for");
        }
        Ok(Outcome::Done(Some(told)))
    }
}
