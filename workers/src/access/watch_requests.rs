//! Looks for requests that are to be answered soon, and has whoever may answer them told.

use permanence_domain::{
    access::{self, jobs::WatchAccessRequests},
    db::Actor,
    error::Result,
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for WatchAccessRequests {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        if run.tenant.is_none() {
            let mut tx = services.db.system(Actor::JOB).await?;
            let practices = access::request_watches(&mut tx).await?;
            tx.commit().await?;
            return Ok(Outcome::Done(Some(serde_json::json!({ "practices": practices }))));
        }
        let mut tx = run.begin(services).await?;
        let told = access::watch(&mut tx).await?;
        tx.commit().await?;
        Ok(Outcome::Done(Some(serde_json::json!({ "told": told }))))
    }
}
