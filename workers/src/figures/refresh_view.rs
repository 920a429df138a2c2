//! Refreshes a view: what readers see changes at once, when all of it is there.

use std::time::Duration;

use permanence_domain::{
    error::Result,
    figures::{Refreshed, Start, begin, failed, jobs::RefreshView},
};

use crate::{
    perform::{Outcome, PerformLong, Run, Watch, failure},
    services::Services,
};

/// How long it stands back while another refreshes the same view, which the queue's limit prevents unless an operator
/// changes it.
const STAND_BACK: Duration = Duration::from_secs(10);

impl PerformLong for RefreshView {
    async fn perform(self, _run: Run, watch: &Watch, services: &Services) -> Result<Outcome> {
        let refresh = match begin(&services.db, self).await? {
            Start::Refresh(refresh) => refresh,
            Start::Served => return Ok(told(self, None)),
            Start::Busy => return Ok(Outcome::Snooze(STAND_BACK)),
        };
        let number = refresh.number();
        let ended = tokio::select! {
            ended = refresh.run(&services.db) => ended,
            () = watch.cancelled.cancelled() => {
                failed(&services.db, number, "cancelled").await?;
                return Ok(Outcome::Cancel("cancelled while it refreshed".to_owned()));
            }
        };
        match ended {
            Ok(refreshed) => {
                metrics::histogram!("permanence_view_refresh_seconds", "view" => self.view.name())
                    .record(refreshed.took.as_seconds_f64());
                Ok(told(self, Some(refreshed)))
            }
            Err(error) => {
                // What cannot be noted now is noted by the next refresh, as interrupted.
                if let Err(error) = failed(&services.db, number, &failure(&error).code).await {
                    tracing::warn!(%error, "the end of a refresh could not be noted");
                }
                Err(error)
            }
        }
    }
}

fn told(asked: RefreshView, refreshed: Option<Refreshed>) -> Outcome {
    Outcome::Done(Some(serde_json::json!({
        "view": asked.view,
        "refreshed": refreshed.is_some(),
        "as_of": refreshed.map(|refreshed| refreshed.as_of),
    })))
}
