//! Gives up pictures that were never sent or never looked at, and finds objects that no job will remove.

use permanence_domain::{
    db::Actor,
    error::Result,
    files::{images::sweep, jobs::SweepImages},
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for SweepImages {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let given_up = sweep(&mut tx).await?;
        tx.commit().await?;
        Ok(Outcome::Done(Some(serde_json::json!({ "given_up": given_up }))))
    }
}
