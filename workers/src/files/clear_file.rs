//! Removes the object of a file that was retracted and belongs to no patient.

use permanence_domain::{
    error::Result,
    files::{cleared, jobs::ClearFile, leftover},
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for ClearFile {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let left = leftover(&mut tx, self.file_id).await?;
        tx.commit().await?;
        let Some(object) = left else { return Ok(Outcome::Done(None)) };
        services.storage()?.remove(&object).await?;
        let mut tx = run.begin(services).await?;
        cleared(&mut tx, self.file_id).await?;
        tx.commit().await?;
        Ok(Outcome::Done(None))
    }
}
