//! Finds the practices that have somebody to erase, or keep something whose time is over: a job for each, one at a time.

use permanence_domain::{
    db::Actor,
    error::Result,
    privacy::{
        due_tenants,
        jobs::{EraseSubjects, FindDueErasures},
    },
};
use permanence_queue::{NewJob, Unique};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for FindDueErasures {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let tenants = due_tenants(&mut tx).await?;
        for tenant in &tenants {
            let job = NewJob::of(&EraseSubjects {})?.tenant(tenant.0);
            tx.enqueue(job.unique(Unique::until_finished(tenant.to_string()))).await?;
        }
        tx.commit().await?;
        Ok(Outcome::Done(Some(serde_json::json!({ "tenants": tenants.len() }))))
    }
}
