//! Takes what is left of an export out of the object store, once it is over. The end is committed first: nobody is led to a
//! file that may be gone.

use std::time::Duration;

use permanence_domain::{
    error::Result,
    exports::{Leftover, Retreat, cleared, jobs::ClearExport, retreat},
    storage::Storage,
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// When to look again whether a job that was asked to stop has.
const AGAIN: Duration = Duration::from_secs(2);

impl Perform for ClearExport {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let retreat = retreat(&mut tx, self.export_id).await?;
        tx.commit().await?;
        let left = match retreat {
            Retreat::Settled => return Ok(Outcome::Done(None)),
            Retreat::Wait => return Ok(Outcome::Snooze(AGAIN)),
            Retreat::Clear(left) => left,
        };
        clear(services.storage()?, &left).await?;
        let mut tx = run.begin(services).await?;
        cleared(&mut tx, self.export_id).await?;
        tx.commit().await?;
        Ok(Outcome::Done(None))
    }
}

/// Removes what an attempt may have left. The upload first: once it is gone it cannot become a file any more.
pub(super) async fn clear(storage: &Storage, left: &Leftover) -> Result<()> {
    if let Some(upload) = &left.upload {
        storage.abort_upload(&left.key, upload).await?;
    }
    storage.remove(&left.key).await
}
