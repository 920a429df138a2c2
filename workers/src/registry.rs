//! Every job, one list.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use permanence_domain::{
    identity::jobs::{SendAccountMail, SendInvitation},
    inventory::jobs::{ImportItems, SendDigest, WatchStock},
    notifications::{
        jobs::{ReconcileMessages, SendMessage},
        receipts::jobs::AskDeliveries,
    },
    platform::{MaintainQueue, PurgeAnswers},
};
use permanence_queue::{Claimed, Failure, Handler, Outcome};
use tokio_util::sync::CancellationToken;

use crate::{
    perform::{Perform, Run, failure},
    services::Services,
};

type Performer = fn(Claimed, Arc<Services>) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Finds who performs a job by its kind.
#[derive(Clone)]
pub struct Registry {
    performers: HashMap<&'static str, Performer>,
    services: Arc<Services>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.performers.keys()).finish()
    }
}

impl Registry {
    /// Every job that this version performs.
    pub fn new(services: Services) -> Self {
        Self { performers: HashMap::new(), services: Arc::new(services) }
            .with::<SendMessage>()
            .with::<ReconcileMessages>()
            .with::<AskDeliveries>()
            .with::<SendInvitation>()
            .with::<SendAccountMail>()
            .with::<WatchStock>()
            .with::<SendDigest>()
            .with::<ImportItems>()
            .with::<MaintainQueue>()
            .with::<PurgeAnswers>()
    }

    fn with<J: Perform>(mut self) -> Self {
        for kind in std::iter::once(&J::KIND).chain(J::ALIASES) {
            let taken = self.performers.insert(kind, |job, services| Box::pin(run::<J>(job, services)));
            debug_assert!(taken.is_none(), "{kind} is performed twice");
        }
        self
    }
}

async fn run<J: Perform>(job: Claimed, services: Arc<Services>) -> Outcome {
    let payload: J = match job.decode() {
        Ok(payload) => payload,
        Err(failure) => return Outcome::Retry(failure),
    };
    payload.perform(Run::of(&job), &services).await.unwrap_or_else(|error| {
        tracing::warn!(%error, cause = std::error::Error::source(&error), "the attempt failed");
        Outcome::Retry(failure(&error))
    })
}

impl Handler for Registry {
    async fn perform(&self, job: Claimed, _cancelled: CancellationToken) -> Outcome {
        match self.performers.get(job.kind.as_str()) {
            Some(performer) => performer(job, Arc::clone(&self.services)).await,
            None => Outcome::Retry(Failure::unknown_kind(&job.kind)),
        }
    }
}
