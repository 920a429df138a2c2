//! Finds what no other job will clear: exports whose jobs were given up, uploads that were begun by a process that died
//! before it could note them, and files that a request took and nobody noted.

use chrono::Duration;
use permanence_domain::{
    db::Actor,
    error::Result,
    exports::{AREA, forget, jobs::SweepExports, known_uploads, sweep},
};

use super::sweep_uploads::remove_unwanted;
use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

/// How old an upload is that should have been noted.
const GRACE: Duration = Duration::hours(1);

impl Perform for SweepExports {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let found = sweep(&mut tx).await?;
        let forgotten = forget(&mut tx).await?;
        tx.commit().await?;
        let aborted = abort_unknown(services).await?;
        let removed = remove_unwanted(services).await?;
        let told = serde_json::json!({
            "found": found, "forgotten": forgotten, "uploads_aborted": aborted, "files_removed": removed,
        });
        Ok(Outcome::Done(Some(told)))
    }
}

async fn abort_unknown(services: &Services) -> Result<usize> {
    let storage = services.storage()?;
    let old = services.db.clock().now() - GRACE;
    let mut uploads = storage.list_uploads(AREA).await?;
    uploads.retain(|upload| upload.begun_at <= old);
    let names: Vec<String> = uploads.iter().map(|upload| upload.id.0.clone()).collect();
    let mut tx = services.db.system(Actor::JOB).await?;
    let known = known_uploads(&mut tx, &names).await?;
    tx.commit().await?;
    uploads.retain(|upload| !known.contains(&upload.id.0));
    for upload in &uploads {
        storage.abort_upload(&upload.key, &upload.id).await?;
    }
    Ok(uploads.len())
}
