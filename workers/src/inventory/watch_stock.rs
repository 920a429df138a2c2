//! Looks at a practice's stock: alerts that are new are opened and told in the transaction that opens them.

use permanence_domain::{
    db::Actor,
    error::Result,
    inventory::{self, jobs::WatchStock},
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for WatchStock {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        if run.tenant.is_none() {
            let mut tx = services.db.system(Actor::JOB).await?;
            let practices = inventory::request_all(&mut tx).await?;
            tx.commit().await?;
            return Ok(Outcome::Done(Some(serde_json::json!({ "practices": practices }))));
        }
        let mut tx = run.begin(services).await?;
        let watched = inventory::watch(&mut tx).await?;
        tx.commit().await?;
        for (kind, count) in [("stock_low", watched.low), ("lot_expiring", watched.expiring)] {
            metrics::counter!("permanence_stock_alerts_total", "kind" => kind).increment(count as u64);
        }
        Ok(Outcome::Done(Some(serde_json::json!({
            "low": watched.low, "expiring": watched.expiring, "cleared": watched.cleared,
        }))))
    }
}
