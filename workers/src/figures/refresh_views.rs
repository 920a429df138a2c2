//! Has every view refreshed.

use permanence_domain::{
    db::Actor,
    error::Result,
    figures::{jobs::RefreshViews, request_all},
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for RefreshViews {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let views = request_all(&mut tx).await?;
        tx.commit().await?;
        Ok(Outcome::Done(Some(serde_json::json!({ "views": views }))))
    }
}
