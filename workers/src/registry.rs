//! Every job, one list.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use permanence_domain::{
    access::jobs::{SendAccessDigest, WatchAccessRequests, WriteAccessFile},
    audit::jobs::{ForgetEntries, SealEntries},
    backup::jobs::{RemoveBackups, WriteBackup},
    billing::jobs::{
        EndInvoiceRun, FindOverdue, InvoiceAppointment, RemindDebtor, RemoveInvoicePreview, RenderInvoicePdf,
        RenderInvoicePreview, SendInvoice,
    },
    error::Result,
    exports::jobs::{ClearExport, SweepExports, WriteExport},
    figures::jobs::{RefreshView, RefreshViews},
    files::jobs::{ClearFile, ClearImage, SweepImages, TakeImage},
    identity::jobs::{SendAccountMail, SendInvitation},
    import::jobs::{ClearMigration, ImportDump},
    inventory::jobs::{ImportItems, SendDigest, WatchStock},
    notifications::{
        jobs::{ReconcileMessages, SendMessage},
        receipts::jobs::AskDeliveries,
    },
    platform::{MaintainQueue, PurgeAnswers},
    privacy::jobs::{
        EraseAccounts, EraseSubjects, FindDueErasures, RenderAccountCertificate, RenderCertificate,
    },
    vault::Rewrap,
};
use permanence_queue::{Claimed, Failure, Handler, Job, Outcome};
use tokio_util::sync::CancellationToken;

use crate::{
    perform::{Perform, PerformLong, Run, Watch, failure},
    services::Services,
};

type Performer =
    fn(Claimed, CancellationToken, Arc<Services>) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

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
            .with::<ImportDump>()
            .with::<ClearMigration>()
            .with::<InvoiceAppointment>()
            .with::<EndInvoiceRun>()
            .with::<FindOverdue>()
            .with::<RemindDebtor>()
            .with::<RenderInvoicePdf>()
            .with::<RenderInvoicePreview>()
            .with::<RemoveInvoicePreview>()
            .with::<SendInvoice>()
            .with::<MaintainQueue>()
            .with::<PurgeAnswers>()
            .with::<Rewrap>()
            .with::<FindDueErasures>()
            .with::<EraseSubjects>()
            .with::<RenderCertificate>()
            .with::<EraseAccounts>()
            .with::<RenderAccountCertificate>()
            .with_long::<WriteExport>()
            .with::<ClearExport>()
            .with::<SweepExports>()
            .with_long::<WriteAccessFile>()
            .with::<WatchAccessRequests>()
            .with::<SendAccessDigest>()
            .with::<TakeImage>()
            .with::<ClearFile>()
            .with::<ClearImage>()
            .with::<SweepImages>()
            .with::<RefreshViews>()
            .with_long::<RefreshView>()
            .with::<SealEntries>()
            .with::<ForgetEntries>()
            .with_long::<WriteBackup>()
            .with::<RemoveBackups>()
    }

    fn with<J: Perform>(self) -> Self {
        self.add::<J>(|job, _, services| Box::pin(run::<J>(job, services)))
    }

    fn with_long<J: PerformLong>(self) -> Self {
        self.add::<J>(|job, cancelled, services| Box::pin(run_long::<J>(job, cancelled, services)))
    }

    fn add<J: Job>(mut self, performer: Performer) -> Self {
        for kind in std::iter::once(&J::KIND).chain(J::ALIASES) {
            let taken = self.performers.insert(kind, performer);
            debug_assert!(taken.is_none(), "{kind} is performed twice");
        }
        self
    }
}

async fn run<J: Perform>(job: Claimed, services: Arc<Services>) -> Outcome {
    match job.decode::<J>() {
        Ok(payload) => outcome(payload.perform(Run::of(&job), &services).await),
        Err(failure) => Outcome::Retry(failure),
    }
}

async fn run_long<J: PerformLong>(
    job: Claimed,
    cancelled: CancellationToken,
    services: Arc<Services>,
) -> Outcome {
    let watch = Watch { lease: job.lease, cancelled };
    match job.decode::<J>() {
        Ok(payload) => outcome(payload.perform(Run::of(&job), &watch, &services).await),
        Err(failure) => Outcome::Retry(failure),
    }
}

/// An error is a failed attempt.
fn outcome(performed: Result<Outcome>) -> Outcome {
    performed.unwrap_or_else(|error| {
        tracing::warn!(%error, cause = std::error::Error::source(&error), "the attempt failed");
        Outcome::Retry(failure(&error))
    })
}

impl Handler for Registry {
    async fn perform(&self, job: Claimed, cancelled: CancellationToken) -> Outcome {
        match self.performers.get(job.kind.as_str()) {
            Some(performer) => performer(job, cancelled, Arc::clone(&self.services)).await,
            None => Outcome::Retry(Failure::unknown_kind(&job.kind)),
        }
    }
}
