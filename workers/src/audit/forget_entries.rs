//! Removes the entries of the audit trail that have served their time, chain by chain. A chain that is not as it was sealed is
//! left as it is, and the others go on.

use permanence_domain::{
    audit::{due_chains, forget_batch, jobs::ForgetEntries},
    db::Actor,
    error::Result,
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for ForgetEntries {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let due = due_chains(&mut tx).await?;
        tx.commit().await?;
        let (mut removed, mut failed) = (0, None);
        for chain in due {
            loop {
                let mut tx = services.db.system(Actor::JOB).await?;
                let gone = match forget_batch(&mut tx, &chain).await {
                    Ok(gone) => gone,
                    Err(error) => {
                        tracing::error!(%chain, "the audit trail is not as it was sealed: verify it");
                        failed = Some(error);
                        break;
                    }
                };
                tx.commit().await?;
                removed += gone;
                if gone == 0 {
                    break;
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Outcome::Done(Some(serde_json::json!({ "removed": removed })))),
        }
    }
}
