//! Finds the practices that have somebody to erase, or keep something whose time is over: a job for each, one at a time. And the
//! accounts that are due: one job for all of them.

use permanence_domain::{
    db::Actor,
    error::Result,
    privacy::{
        due_accounts, due_tenants,
        jobs::{EraseAccounts, EraseSubjects, FindDueErasures},
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
        let accounts = due_accounts(&mut tx).await?.len();
        if accounts > 0 {
            tx.enqueue(NewJob::of(&EraseAccounts {})?.unique(Unique::until_finished("all".to_owned())))
                .await?;
        }
        tx.commit().await?;
        Ok(Outcome::Done(Some(serde_json::json!({ "tenants": tenants.len(), "accounts": accounts }))))
    }
}
