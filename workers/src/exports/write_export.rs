//! Writes an export: the rows of one moment, as a file, into the object store.

use permanence_domain::{
    error::Result,
    exports::{Draft, Profile, Snapshot, Start, begin, jobs::WriteExport},
};

use super::{
    attempt::{Attempt, Opened},
    pour::Pour,
};
use crate::{
    perform::{Outcome, PerformLong, Run, Watch},
    services::Services,
};

impl PerformLong for WriteExport {
    async fn perform(self, run: Run, watch: &Watch, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        let start = begin(&mut tx, self.export_id).await?;
        tx.commit().await?;
        let Start::Write(draft) = start else { return Ok(Outcome::Done(None)) };
        let attempt = Attempt::new(&draft.turn, run, watch, services)?;
        let opening = open(&draft, run, services);
        Box::pin(attempt.carry_out(draft.format.content_type(), opening)).await
    }
}

/// Fixes the moment and counts its rows.
async fn open(draft: &Draft, run: Run, services: &Services) -> Result<Opened<Pour>> {
    // A spreadsheet shows the practice's clocks.
    let clocks = if draft.profile == Some(Profile::Rfc4180) { chrono_tz::UTC } else { draft.zone };
    let mut snapshot =
        Snapshot::open(&services.db, run.tenant()?, &draft.filters, draft.zone, clocks).await?;
    let total = snapshot.count(draft.kind.kind()).await?;
    if let Err(code) = draft.check_rows(total) {
        return Ok(Opened::Refused(code));
    }
    Ok(Opened::Ready(Pour::new(draft, snapshot, total, services.db.clock().now())))
}
