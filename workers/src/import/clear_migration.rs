//! Takes the dump and the backup of a migration out of the object store, once they have ended or their time is over.

use permanence_domain::{
    error::Result,
    import::{jobs::ClearMigration, leftovers, removed},
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for ClearMigration {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let left = leftovers(&mut tx, self.migration_id).await?;
        tx.commit().await?;
        let Some(objects) = left else { return Ok(Outcome::Done(None)) };
        for object in &objects {
            services.storage()?.remove(object).await?;
        }
        let mut tx = run.begin(services).await?;
        removed(&mut tx, self.migration_id).await?;
        tx.commit().await?;
        Ok(Outcome::Done(None))
    }
}
