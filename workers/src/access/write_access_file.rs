//! Writes the file of an access request, sealed, into the object store. All is read in one moment that has ended before the
//! writing begins; the files are read one by one while the archive is made.

use permanence_domain::{
    access::{begin_task, gather, jobs::WriteAccessFile},
    error::Result,
};

use super::archive::Archive;
use crate::{
    exports::attempt::{Attempt, Opened},
    perform::{Outcome, PerformLong, Run, Watch},
    services::Services,
};

/// What the object store is told that it keeps: sealed, it is nothing that anybody could open.
const SEALED: &str = "application/octet-stream";

impl PerformLong for WriteAccessFile {
    async fn perform(self, run: Run, watch: &Watch, services: &Services) -> Result<Outcome> {
        let vault = services.vault()?;
        let mut tx = run.begin(services).await?;
        let task = begin_task(&mut tx, vault, self.access_request_id).await?;
        tx.commit().await?;
        let Some(task) = task else { return Ok(Outcome::Done(None)) };
        let attempt = Attempt::new(&task.turn, run, watch, services)?;
        let (whose, key, place) = (task.whose, task.key, task.place);
        let opening = async {
            let gathered = gather(&services.db, vault, run.tenant()?, whose).await?;
            Ok(Opened::Ready(Archive::new(gathered, key, place)?))
        };
        Box::pin(attempt.carry_out(SEALED, opening)).await
    }
}
