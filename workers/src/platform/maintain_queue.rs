//! Tidies the queue: its history by days, its keys.

use permanence_domain::{db::Actor, error::Result, platform::MaintainQueue};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for MaintainQueue {
    async fn perform(self, _run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = services.db.system(Actor::JOB).await?;
        let clock = tx.clock();
        let done = permanence_queue::maintain(tx.conn(), &*clock).await?;
        tx.commit().await?;
        Ok(Outcome::Done(Some(serde_json::json!({ "partitions_dropped": done.partitions_dropped }))))
    }
}
